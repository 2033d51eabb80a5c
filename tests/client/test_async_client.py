"""The asynchronous client does what the other does, many times at once, and stops when it is told to."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import grpc
import numpy as np
import pytest
from PIL import Image

from images.pictures import pixels
from impasto.client import AsyncClient, Client, Dream, Progress, TlsOptions, Transfer, Upscale, errors
from impasto.client._jobs.checkpoint import CheckpointFile
from oracles.rounding import assert_equal_but_for_rounding
from scripted.client_servers import aborting, scripted
from scripted.counting_server import counting
from servers.certificates import Authority
from servers.model_servers import ModelServer, serving

ResultT = TypeVar("ResultT")

DREAM: dict[str, Any] = {"steps": 12, "octaves": [-1, 0], "tile": 17, "seed": 3}
TRANSFER: dict[str, Any] = {"epochs": 2, "steps_per_epoch": 6}
PICTURE, PAINTING = pixels(40, 60), pixels(48, 40, seed=1)


def asked(server: ModelServer, question: Callable[[AsyncClient], Awaitable[ResultT]]) -> ResultT:
    """What an asynchronous client of `server` makes of it."""

    async def ask() -> ResultT:
        async with AsyncClient(server.address) as client:
            return await question(client)

    return asyncio.run(ask())


def public_methods(kind: type) -> dict[str, Any]:
    return {
        name: member
        for name, member in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    }


def test_it_has_the_methods_of_the_other_with_the_same_arguments() -> None:
    theirs, ours = public_methods(Client), public_methods(AsyncClient)
    assert ours.keys() == theirs.keys()
    for name, method in theirs.items():
        wanted, found = inspect.signature(method), inspect.signature(ours[name])
        # No asynchronous generator returns a result, so there the type of it is any.
        expected = [
            str(parameter).replace("Job[ResultT, ", "Job[Any, ") for parameter in wanted.parameters.values()
        ]
        told = [
            str(parameter).replace("Job[ResultT, ", "Job[Any, ") for parameter in found.parameters.values()
        ]
        assert told == expected, name
        returns = str(wanted.return_annotation)
        if "Generator" not in returns and name != "in_one_job":  # which sends nothing
            assert str(found.return_annotation) == returns, name
            # The client itself comes at once; what is asked of a server is awaited.
            assert inspect.iscoroutinefunction(ours[name]) is (returns != "Self"), name


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.predict("add", {"a": np.ones(2, np.float32), "b": np.ones(2, np.float32)}),
        lambda client: client.metadata("half"),
        lambda client: client.status("constant"),
        lambda client: client.wait_ready(models=["echo"]),
    ],
    ids=["predict", "metadata", "status", "wait_ready"],
)
def test_small_calls_answer_as_the_other_client_does(
    toy_server: ModelServer, ask: Callable[[Any], Any]
) -> None:
    with Client(toy_server.address) as client:
        expected = ask(client)
    assert repr(asked(toy_server, ask)) == repr(expected)


@pytest.mark.parametrize(
    ("fixture", "make"),
    [
        ("committed_server", lambda client: client.upscale(PICTURE, tile=32)),
        ("stylize_server", lambda client: client.stylize(PICTURE, PAINTING, strength=0.5)),
        ("dream_server", lambda client: client.dream(PICTURE, **DREAM)),
        ("transfer_server", lambda client: client.transfer(PICTURE, PAINTING, **TRANSFER)),
    ],
    ids=["upscale", "stylize", "dream", "transfer"],
)
def test_pictures_are_those_of_the_other_client_bit_for_bit(
    request: pytest.FixtureRequest, fixture: str, make: Callable[[Any], Any], server_kind: str
) -> None:
    server: ModelServer = request.getfixturevalue(fixture)
    with Client(server.address) as client:
        expected = make(client)
    found = asked(server, make)
    assert (found.mode, found.size) == (expected.mode, expected.size)
    assert np.array_equal(np.asarray(found), np.asarray(expected))


def test_a_style_vector_serves_both_clients(stylize_server: ModelServer) -> None:
    vector = asked(stylize_server, lambda client: client.style_vector(PAINTING))
    with Client(stylize_server.address) as client:
        assert np.array_equal(vector.values, client.style_vector(PAINTING).values)
        assert np.array_equal(
            np.asarray(client.stylize(PICTURE, vector)),
            np.asarray(asked(stylize_server, lambda other: other.stylize(PICTURE, vector))),
        )


def test_descriptions_are_the_same(dream_server: ModelServer, transfer_server: ModelServer) -> None:
    with Client(dream_server.address) as client:
        assert asked(dream_server, lambda other: other.describe_dream()) == client.describe_dream()
    with Client(transfer_server.address) as client:
        assert asked(transfer_server, lambda other: other.describe_transfer()) == client.describe_transfer()


def test_progress_is_told_in_the_event_loop(committed_server: ModelServer) -> None:
    seen: list[Progress] = []

    def note(progress: Progress) -> None:
        asyncio.get_running_loop()  # fails in another thread
        seen.append(progress)

    asked(committed_server, lambda client: client.run(Upscale(PICTURE, tile=32), on_progress=note))
    assert [progress.done for progress in seen] == list(range(seen[0].total + 1))


def test_a_dream_can_be_watched_and_its_last_progress_is_the_result(dream_server: ModelServer) -> None:
    async def watch(client: AsyncClient) -> list[Any]:
        return [progress async for progress in client.iterate(Dream(PICTURE, **DREAM), every=4)]

    seen = asked(dream_server, watch)
    assert {4, 8, 12, 16, 20, 24} <= {progress.done for progress in seen}
    with Client(dream_server.address) as client:
        assert np.array_equal(np.asarray(seen[-1].preview()), np.asarray(client.dream(PICTURE, **DREAM)))


def test_a_transfer_that_was_given_up_goes_on_from_its_checkpoint(
    transfer_server: ModelServer, tmp_path: Path
) -> None:
    path = tmp_path / "checkpoint"

    async def stop_early(client: AsyncClient) -> None:
        steps = client.iterate(Transfer(PICTURE, PAINTING, **TRANSFER), every=1, checkpoint=path)
        async with aclosing(steps):
            async for progress in steps:
                if progress.done == 5:
                    return

    asked(transfer_server, stop_early)
    snapshot = CheckpointFile(path).read()
    assert snapshot is not None
    result = asked(
        transfer_server, lambda client: client.run(Transfer(PICTURE, PAINTING, **TRANSFER), checkpoint=path)
    )
    with Client(transfer_server.address) as client:
        assert np.array_equal(np.asarray(result), np.asarray(client.transfer(PICTURE, PAINTING, **TRANSFER)))


def test_a_cancelled_job_has_written_its_checkpoint_and_goes_on_from_there(
    dream_server: ModelServer, tmp_path: Path
) -> None:
    path = tmp_path / "checkpoint"
    options = DREAM | {"steps": 2000}

    async def cancel(client: AsyncClient) -> None:
        begun = asyncio.Event()

        def note(progress: Progress) -> None:
            if progress.done > 0:
                begun.set()

        task = asyncio.create_task(client.run(Dream(PICTURE, **options), checkpoint=path, on_progress=note))
        await asyncio.wait_for(begun.wait(), 240)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asked(dream_server, cancel)
    snapshot = CheckpointFile(path).read()
    assert snapshot is not None
    assert snapshot.position["step"] > 0


def test_three_thousand_calls_at_once_are_no_more_than_the_bound_at_the_server() -> None:
    async def ask(address: str) -> list[Any]:
        async with AsyncClient(address, max_in_flight=200) as client:
            return await asyncio.gather(*(client.predict("any", {"x": number}) for number in range(3000)))

    with counting(seconds=0.02, together=200) as server:
        answers = asyncio.run(ask(server.address))
        assert len(answers) == server.answered == 3000
        assert all(answer["y"].tolist() == [0.0] for answer in answers)
        assert server.most == 200


def test_a_cancelled_call_is_cancelled_at_the_server_and_the_client_goes_on() -> None:
    async def cancel(address: str) -> None:
        async with AsyncClient(address) as client:
            task = asyncio.create_task(client.predict("any", {"x": 1}))
            await asyncio.to_thread(server.arrived.wait, 30)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.to_thread(server.left.wait, 30)
            server.seconds = 0.0
            await client.predict("any", {"x": 1})

    with counting(seconds=600.0) as server:
        asyncio.run(cancel(server.address))
        assert (server.cancelled, server.answered) == (1, 1)


def test_closing_ends_the_calls_that_are_under_way() -> None:
    async def close(address: str) -> None:
        client = AsyncClient(address)
        task = asyncio.create_task(client.predict("any", {"x": 1}))
        await asyncio.to_thread(server.arrived.wait, 30)
        await client.close()
        with pytest.raises(errors.CallAborted, match="the client was closed") as failed:
            await task
        assert failed.value.code is grpc.StatusCode.CANCELLED

    with counting(seconds=600.0) as server:
        asyncio.run(close(server.address))


@pytest.mark.skipif(
    sys.version_info < (3, 11), reason="a task does not know there that it is being cancelled"
)
def test_a_task_that_is_cancelled_while_its_client_is_closed_is_cancelled() -> None:
    async def close(address: str) -> None:
        client = AsyncClient(address)
        task = asyncio.create_task(client.predict("any", {"x": 1}))
        await asyncio.to_thread(server.arrived.wait, 30)
        task.cancel()
        await client.close()
        with pytest.raises(asyncio.CancelledError):
            await task

    with counting(seconds=600.0) as server:
        asyncio.run(close(server.address))


def test_a_closed_client_says_so_to_calls_that_wait_for_a_place_and_to_later_ones() -> None:
    async def close(address: str) -> None:
        client = AsyncClient(address, max_in_flight=1)
        tasks = [asyncio.create_task(client.predict("any", {"x": number})) for number in range(3)]
        await asyncio.to_thread(server.arrived.wait, 30)
        await client.close()
        under_way, *waiting = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(under_way, errors.CallAborted)
        assert [type(outcome) for outcome in waiting] == [errors.ClientClosed] * 2
        await all_is_closed(client)

    with counting(seconds=600.0) as server:
        asyncio.run(close(server.address))


def test_a_client_that_is_closed_before_its_first_call_is_closed(toy_server: ModelServer) -> None:
    async def close() -> None:
        client = AsyncClient(toy_server.address)
        await client.close()
        await all_is_closed(client)
        await client.close()

    asyncio.run(close())


async def all_is_closed(client: AsyncClient) -> None:
    message = f"the client of {client.address} is closed; make another one"
    for ask in (client.status("half"), client.wait_ready(timeout=240), client.upscale(PICTURE)):
        with pytest.raises(errors.ClientClosed, match=message):
            await ask
    with pytest.raises(errors.ClientClosed, match=message):
        await anext(client.map([Upscale(PICTURE)]))


def test_a_deadline_holds() -> None:
    async def ask(address: str) -> None:
        async with AsyncClient(address, timeout=0.2) as client:
            with pytest.raises(errors.DeadlineExceeded) as failed:
                await client.predict("any", {"x": 1})
            assert isinstance(failed.value.__cause__, grpc.RpcError)

    with counting(seconds=600.0) as server:
        asyncio.run(asyncio.wait_for(ask(server.address), 240))


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
def test_every_status_becomes_the_exception_that_the_other_client_raises(code: grpc.StatusCode) -> None:
    async def ask(address: str) -> errors.CallError:
        async with AsyncClient(address) as client:
            with pytest.raises(errors.CallError) as failed:
                await client.status("any")
            assert isinstance(failed.value.__cause__, grpc.RpcError)
            return failed.value

    with scripted(aborting(code)) as server:
        found = asyncio.run(ask(server.address))
        with Client(server.address) as client, pytest.raises(errors.CallError) as failed:
            client.status("any")
    assert (type(found), str(found), found.code, found.details) == (
        type(failed.value),
        str(failed.value),
        code,
        failed.value.details,
    )


def test_a_missing_signature_is_named(toy_server: ModelServer) -> None:
    with pytest.raises(errors.SignatureNotFound, match="has no signature 'none'; it has serving_default"):
        asked(toy_server, lambda client: client.predict("add", {}, signature="none"))


def test_an_untrusted_server_is_named(toy_repository: Path, tmp_path: Path, server_kind: str) -> None:
    authority, stranger = Authority(tmp_path, "ours"), Authority(tmp_path, "strangers")
    config = authority.ssl_config("127.0.0.1")
    with serving(server_kind, toy_repository, only=["add"], ssl_config_file=config) as server:

        async def ask(tls: TlsOptions | None) -> Any:
            async with AsyncClient(server.address, tls=tls) as client:
                return await client.status("add")

        assert asyncio.run(ask(TlsOptions(ca=authority.certificate)))
        with pytest.raises(errors.TlsError, match="no CA that this client trusts"):
            asyncio.run(ask(TlsOptions(ca=stranger.certificate)))


def test_a_picture_that_cannot_be_used_fails_as_in_the_other_client(
    committed_server: ModelServer, tmp_path: Path
) -> None:
    path = tmp_path / "no.png"
    path.write_bytes(b"not a picture")
    with pytest.raises(errors.NotAnImage, match=r"no\.png is not an image"):
        asked(committed_server, lambda client: client.upscale(path))


def test_a_map_upscales_a_folder_in_order_and_one_bad_picture_does_not_stop_it(
    committed_server: ModelServer,
) -> None:
    pictures: list[Any] = [pixels(20 + number, 30, seed=number) for number in range(6)]
    pictures[3] = b"not a picture"

    async def upscale_all(client: AsyncClient) -> list[Any]:
        jobs = (Upscale(picture, tile=16) for picture in pictures)
        return [outcome async for outcome in client.map(jobs, concurrency=3)]

    with Client(committed_server.address) as client:
        ours = list(client.map(map(Upscale, pictures), concurrency=3))
        singles = [client.upscale(picture) for picture in pictures if isinstance(picture, np.ndarray)]
    for outcomes in (ours, asked(committed_server, upscale_all)):
        assert [outcome.index for outcome in outcomes] == list(range(6))
        assert isinstance(outcomes[3].error, errors.NotAnImage)
        results = [outcome.result for outcome in outcomes if outcome.error is None]
        assert all(isinstance(result, Image.Image) for result in results)
        for result, single in zip(results, singles, strict=True):
            assert_equal_but_for_rounding(result, single)  # the other ones are in tiles


def test_a_map_works_within_a_running_event_loop_as_in_a_notebook(toy_server: ModelServer) -> None:
    async def half(client: AsyncClient, number: float) -> float:
        return float((await client.predict("half", {"x": np.array([number], np.float32)}))["y"][0])

    async def cell() -> list[float]:
        with Client(toy_server.address) as client:
            return [
                outcome.result
                for outcome in client.map(partial(half, number=number) for number in (0.0, 2.0, 4.0))
            ]

    assert asyncio.run(cell()) == [2.0, 3.0, 4.0]


def test_a_map_that_is_given_up_cancels_its_calls() -> None:
    async def one(client: AsyncClient, number: int) -> Any:
        return number if number == 0 else await client.predict("any", {"x": number}, timeout=600)

    with counting(seconds=600.0) as server, Client(server.address) as client:
        outcomes = client.map((partial(one, number=number) for number in range(100)), concurrency=4)
        assert next(outcomes).result == 0
        assert server.arrived.wait(240)
        outcomes.close()
        assert server.left.wait(240)
    assert server.cancelled > 0
    assert server.answered == 0
