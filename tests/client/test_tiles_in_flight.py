"""Several tiles of a picture are under way at once: spread, bounded, stopped together, and joined as if one by one."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from images.kept_rows import KeptRows
from images.pictures import load, pixels, save
from impasto.client import AsyncClient, Client, Job, Progress, Upscale, errors
from impasto.client._models.upscale.job import UpscaleToRows
from impasto.client._transport.calls import Stop
from scripted.client_servers import scripted
from scripted.enlarging import Enlarging

PICTURE = pixels(54, 142)
"""In tiles of 32 pixels, two rows of six."""

TILES = 12
ENLARGED = PICTURE.repeat(2, 0).repeat(2, 1)
ENOUGH = 240.0
"""Seconds within which a busy machine does what it does."""


@contextlib.contextmanager
def replicas(enlarging: Enlarging, number: int = 1) -> Iterator[str]:
    with contextlib.ExitStack() as stack:
        yield ",".join(stack.enter_context(scripted(enlarging)).address for _ in range(number))


def blocking(address: str, job: Job[Any, Progress], **settings: Any) -> Any:
    with Client(address, **settings) as client:
        return client.run(job)


def awaiting(address: str, job: Job[Any, Progress], **settings: Any) -> Any:
    async def run() -> Any:
        async with AsyncClient(address, **settings) as client:
            return await client.run(job)

    return asyncio.run(run())


BOTH = pytest.mark.parametrize("run", [blocking, awaiting])
Run = Callable[..., Any]


JOB = Upscale(PICTURE, tile=32)


def crowd(enlarging: Enlarging, size: int) -> None:
    """Have no tile but the first answered before so many are under way at once."""

    def act(number: int, context: grpc.ServicerContext) -> None:
        if number > 0:
            enlarging.until(lambda: enlarging.most >= size)

    enlarging.act = act


@BOTH
@pytest.mark.parametrize(("number", "wanted"), [(1, 4), (4, 8)])
def test_two_tiles_for_each_replica_are_under_way_at_once_and_four_at_least(
    run: Run, number: int, wanted: int
) -> None:
    enlarging = Enlarging()
    crowd(enlarging, wanted)
    with replicas(enlarging, number) as address:
        assert np.array_equal(run(address, JOB), ENLARGED)
    assert enlarging.most == wanted


@BOTH
def test_the_setting_for_calls_in_flight_bounds_tiles_too(run: Run) -> None:
    enlarging = Enlarging()
    crowd(enlarging, 2)
    with replicas(enlarging, 4) as address:
        assert np.array_equal(run(address, JOB, max_in_flight=2), ENLARGED)
    assert enlarging.most == 2


def test_the_tiles_of_one_client_go_to_all_replicas() -> None:
    enlarging = Enlarging()
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(scripted(enlarging)) for _ in range(4)]
        client = stack.enter_context(Client(",".join(server.address for server in servers)))
        for _ in range(200):  # a replica is called once it is connected to
            client.run(JOB)
            if all(server.methods for server in servers):
                return
    pytest.fail(f"called: {[len(server.methods) for server in servers]}")


def test_the_pictures_of_a_map_and_their_tiles_share_its_concurrency() -> None:
    enlarging = Enlarging()
    crowd(enlarging, 3)
    with replicas(enlarging) as address, Client(address) as client:
        outcomes = list(client.map([JOB] * 4, concurrency=3))
    assert all(np.array_equal(np.asarray(outcome.result), ENLARGED) for outcome in outcomes)
    assert enlarging.most == 3


@BOTH
def test_answers_in_any_order_make_the_same_picture_band_after_band(run: Run) -> None:
    """The first of each two tiles is answered after the second."""
    enlarging = Enlarging()

    def act(number: int, context: grpc.ServicerContext) -> None:
        if number % 2 and number + 1 < TILES:
            enlarging.until(lambda: number + 1 in enlarging.answered)

    enlarging.act = act
    sink = KeptRows()
    with replicas(enlarging) as address:
        assert run(address, UpscaleToRows(JOB, sink, model=JOB.model)) == (ENLARGED.shape[1], len(ENLARGED))
    assert enlarging.answered != sorted(enlarging.answered)
    assert len(sink.rows) == 2
    assert np.array_equal(np.concatenate(sink.rows), ENLARGED)


@BOTH
def test_a_tile_that_takes_long_lets_only_a_few_others_begin(run: Run) -> None:
    enlarging = Enlarging()
    begun_before: list[int] = []

    def act(number: int, context: grpc.ServicerContext) -> None:
        if number == 1:
            enlarging.until(lambda: enlarging.begun >= 5)
            threading.Event().wait(0.3)  # for those that should not come
            begun_before.append(enlarging.begun)

    enlarging.act = act
    with replicas(enlarging) as address:
        assert np.array_equal(run(address, JOB, max_in_flight=2), ENLARGED)
    # The first tile, and two for each that may be under way; one more if the second tile's call was overtaken.
    assert begun_before in ([5], [6])


@BOTH
def test_a_tile_that_fails_ends_the_job_at_once_and_stops_the_others(run: Run) -> None:
    enlarging = Enlarging()

    def act(number: int, context: grpc.ServicerContext) -> None:
        if number == 3:
            enlarging.until(lambda: enlarging.now == 4)
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the third one")
        elif number > 0:
            enlarging.hang(context)

    enlarging.act = act
    with replicas(enlarging) as address:
        with pytest.raises(errors.InvalidInput, match="the third one"):
            run(address, JOB)
        enlarging.until(lambda: enlarging.now == 0)
    assert enlarging.begun <= 1 + 4 + 1  # one may take the place of the one that failed


@pytest.mark.parametrize("receiver", ["main thread", "another thread"])
def test_ctrl_c_stops_the_calls_that_are_under_way(receiver: str) -> None:
    enlarging = Enlarging()
    main = threading.main_thread().ident
    assert main is not None

    def act(number: int, context: grpc.ServicerContext) -> None:
        if number == 4:
            enlarging.until(lambda: enlarging.now == 4)
            signal.pthread_kill(main if receiver == "main thread" else threading.get_ident(), signal.SIGINT)
        if number > 0:
            enlarging.hang(context)

    enlarging.act = act
    with replicas(enlarging) as address, Client(address) as client:
        with pytest.raises(KeyboardInterrupt):
            client.run(JOB)
        enlarging.until(lambda: enlarging.now == 0)
        assert enlarging.begun == 5
        enlarging.act = lambda number, context: None
        assert np.array_equal(np.asarray(client.run(JOB)), ENLARGED)


def test_a_call_that_began_just_before_the_stop_is_ended_too() -> None:
    stop, ended = Stop(), threading.Event()
    stop.set()
    with pytest.raises(CancelledError), stop.reaching(ended.set):
        pytest.fail("it goes on")
    assert ended.is_set()


def test_an_iteration_that_is_given_up_stops_them_and_so_does_a_task_that_is_cancelled() -> None:
    enlarging = Enlarging()
    # Neighbours may reach the server's threads in either order, and the joined tiles are told in theirs: four calls are
    # answered, of which two are waited for.
    hung = {4, 5, 6, *range(9, TILES * 2)}
    enlarging.act = lambda number, context: enlarging.hang(context) if number in hung else None

    async def cancelled(address: str) -> None:
        async with AsyncClient(address, max_in_flight=3) as client:
            task = asyncio.create_task(client.run(JOB))
            await asyncio.to_thread(enlarging.until, lambda: enlarging.now == 3)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    with replicas(enlarging) as address:
        with Client(address, max_in_flight=3) as client, contextlib.closing(client.iterate(JOB)) as progress:
            assert [next(progress).done for _ in range(3)] == [0, 1, 2]
            enlarging.until(lambda: enlarging.now == 3)
        enlarging.until(lambda: enlarging.now == 0)
        asyncio.run(cancelled(address))
        enlarging.until(lambda: enlarging.now == 0)


AFTER_THE_MAIN_THREAD = """
import sys, threading
from impasto.client import Client, Upscale, write_picture

def work():
    main.join()
    with Client(sys.argv[1]) as client:
        picture = client.run(Upscale(sys.argv[2], tile=32))
    write_picture(sys.argv[3], picture.resize((1200, 1200)))
    print(picture.size)

main = threading.main_thread()
threading.Thread(target=work).start()
"""


def test_a_thread_that_outlives_the_main_one_has_tiles_made_and_written(tmp_path: Path) -> None:
    save(tmp_path / "a.png", PICTURE)
    with replicas(Enlarging()) as address:
        command = [sys.executable, "-c", AFTER_THE_MAIN_THREAD, address, "a.png", "b.png"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("(284, 108)\n", "")
    assert load(tmp_path / "b.png").size == (1200, 1200)


@BOTH
def test_a_replica_that_is_killed_in_the_middle_changes_nothing(run: Run) -> None:
    enlarging = Enlarging()
    dies = threading.Event()
    seen: list[Any] = []
    with scripted(enlarging) as one, contextlib.ExitStack() as stack:
        other = stack.enter_context(scripted(enlarging))

        def act(number: int, context: grpc.ServicerContext) -> None:
            if number == 4:
                dies.set()

        enlarging.act = act

        def kill() -> None:
            assert dies.wait(ENOUGH)
            stack.close()

        killer = threading.Thread(target=kill)
        killer.start()
        seen.append(run(f"{one.address},{other.address}", JOB))
        seen.append(run(f"{one.address},{other.address}", JOB))  # one is away from the first
        killer.join()
    assert all(np.array_equal(picture, ENLARGED) for picture in seen)


@BOTH
def test_a_server_that_takes_one_call_at_a_time_gets_one_at_a_time(run: Run) -> None:
    enlarging = Enlarging()
    refused: list[int] = []

    def act(number: int, context: grpc.ServicerContext) -> None:
        if number == 1:
            enlarging.until(lambda: len(refused) >= 1)  # of a busy client the others may wait by then
        elif enlarging.now > 1:
            refused.append(number)
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "Server Threadpool Exhausted")

    enlarging.act = act
    with replicas(enlarging) as address:
        assert np.array_equal(run(address, JOB), ENLARGED)
    assert 1 <= len(refused) <= 8  # then it is known what the server takes, and now and then tried again


@BOTH
def test_all_tiles_wait_for_a_server_that_is_away(run: Run) -> None:
    enlarging = Enlarging()

    def act(number: int, context: grpc.ServicerContext) -> None:
        if 1 <= number <= 24:
            context.abort(grpc.StatusCode.UNAVAILABLE, "the test's outage")

    enlarging.act = act
    with replicas(enlarging) as address:
        assert np.array_equal(run(address, JOB), ENLARGED)
