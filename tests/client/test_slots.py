"""An overloaded server gets as many calls at once as it takes, and the others get their turns in order."""

from __future__ import annotations

import asyncio
import math
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from images.pictures import pixels
from impasto.client import Client, Upscale, errors
from impasto.client._transport.slots import Slots, ThreadSlots
from servers.model_servers import ModelServer, serving


class Server:
    """Takes `threads` calls at once; `passes` ends as many of them as there are permits."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.now = 0
        self.refused = 0
        self.begun: list[int] = []
        self.passes = asyncio.Semaphore(0)

    async def call(self, slots: Slots, number: int) -> None:
        async with slots.taken(patient=True):
            self.begun.append(number)
            if self.now == self.threads:
                self.refused += 1
                raise errors.ServerOverloaded("no thread")
            self.now += 1
            try:
                await self.passes.acquire()
            finally:
                self.now -= 1


async def settled() -> None:
    """Everybody has done what they can do now."""
    for _ in range(50):
        await asyncio.sleep(0)


def test_the_limit_is_what_the_server_took_once_it_has_refused_a_call() -> None:
    async def scene() -> None:
        slots, server = Slots(1000), Server(threads=3)
        assert slots.limit == math.inf
        calls = [asyncio.create_task(server.call(slots, number)) for number in range(10)]
        await settled()
        assert (server.now, server.refused, int(slots.limit)) == (3, 1, 3)
        calls += [asyncio.create_task(server.call(slots, number)) for number in range(10, 20)]
        await settled()
        assert (server.now, server.refused) == (3, 1)
        for _ in range(19):
            server.passes.release()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes if outcome] == [errors.ServerOverloaded]
        assert server.begun == list(range(20))  # first come, first served

    asyncio.run(scene())


def test_whoever_begins_again_at_once_does_not_overtake_the_others() -> None:
    async def scene() -> None:
        slots, server = Slots(1000), Server(threads=1)
        one, other = (asyncio.create_task(server.call(slots, number)) for number in (0, 1))
        await settled()
        assert isinstance(other.exception(), errors.ServerOverloaded)

        async def again() -> None:
            await one
            await server.call(slots, 3)

        waiting = [asyncio.create_task(again()), asyncio.create_task(server.call(slots, 2))]
        for _ in range(3):
            server.passes.release()
        await asyncio.gather(*waiting)
        assert server.begun == [0, 1, 2, 3]

    asyncio.run(scene())


def test_the_limit_grows_again_with_answers_and_is_never_less_than_one() -> None:
    async def scene() -> None:
        slots, server = Slots(1000), Server(threads=0)
        for number in range(3):
            with pytest.raises(errors.ServerOverloaded):
                await server.call(slots, number)
        assert slots.limit == 1
        server.threads = 100
        for number in range(200):
            server.passes.release()
            await server.call(slots, number)
        assert 4 < slots.limit < 10

    asyncio.run(scene())


def test_whoever_is_cancelled_leaves_the_queue_also_when_their_turn_has_just_come() -> None:
    async def scene() -> None:
        slots, server = Slots(1000), Server(threads=1)

        async def end_and_cancel_the_next() -> None:
            await server.call(slots, 0)
            waiting[1].cancel()  # whose turn has come by the end of the call, and who has not gone on yet

        first = asyncio.create_task(end_and_cancel_the_next())
        refused = asyncio.create_task(server.call(slots, 1))
        await settled()
        assert isinstance(refused.exception(), errors.ServerOverloaded)
        waiting = [asyncio.create_task(server.call(slots, number)) for number in range(2, 5)]
        await settled()
        waiting[0].cancel()
        for _ in range(2):
            server.passes.release()
        await asyncio.gather(first, *waiting, return_exceptions=True)
        assert [task.cancelled() for task in waiting] == [True, True, False]
        assert server.begun == [0, 1, 4]

    asyncio.run(scene())


def test_ctrl_c_ends_the_wait_for_a_turn_also_where_another_thread_gets_it() -> None:
    slots, occupied, ended = ThreadSlots(), threading.Event(), threading.Event()

    def occupy() -> None:
        with suppress(errors.ServerOverloaded), slots.taken(None):
            raise errors.ServerOverloaded("no thread is free")
        with slots.taken(None):
            occupied.set()
            time.sleep(0.5)  # until the other one waits, or is slow, which does no harm
            signal.pthread_kill(threading.get_ident(), signal.SIGINT)
            ended.wait(240)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(occupy)
        with pytest.raises(KeyboardInterrupt):
            occupied.wait(240)
            with slots.taken(None):
                pytest.fail("there is one turn, and it is taken")
        ended.set()


def test_far_more_pictures_at_once_than_a_server_has_threads_are_all_done(
    committed_server: ModelServer, committed_models: Path, server_kind: str
) -> None:
    pictures = [pixels(40, 60, seed=number) for number in range(24)]
    with (
        serving(server_kind, committed_models, only=["srcnn"], grpc_max_threads=3) as server,
        Client(server.address) as client,
        Client(committed_server.address) as calm,
    ):
        outcomes = list(client.map([Upscale(picture, tile=32) for picture in pictures], concurrency=24))
        assert [outcome.error for outcome in outcomes] == [None] * 24
        assert np.array_equal(np.asarray(outcomes[7].result), np.asarray(calm.upscale(pictures[7])))
