"""Clients and event loops: one after the other, in threads, closed, and one that runs already, as in a notebook."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import pytest

from impasto.client import AsyncClient, Client, errors
from impasto.client._transport.asynchronous import in_thread
from scripted.counting_server import counting
from servers.model_servers import ModelServer

LOCAL_SERVER_ONLY = "what a client does with event loops does not depend on its server"

ResultT = TypeVar("ResultT")

TERMS = {"a": np.ones(2, np.float32), "b": np.ones(2, np.float32)}


async def add(client: AsyncClient) -> list[float]:
    found: list[float] = next(iter((await client.predict("add", TERMS)).values())).tolist()
    return found


def in_another_thread(work: Callable[[], ResultT]) -> ResultT:
    found: list[ResultT | errors.ImpastoError] = []

    def do() -> None:
        try:
            found.append(work())
        except errors.ImpastoError as error:
            found.append(error)

    thread = threading.Thread(target=do)
    thread.start()
    thread.join()
    if isinstance(found[0], errors.ImpastoError):
        raise found[0]
    return found[0]


def test_a_client_serves_one_event_loop_after_the_other(toy_server: ModelServer) -> None:
    client = AsyncClient(toy_server.address)

    async def many() -> list[list[float]]:
        return await asyncio.gather(*(add(client) for _ in range(30)))

    found = [asyncio.run(many()) for _ in range(4)]
    assert found == [[[2.0, 2.0]] * 30] * 4
    asyncio.run(client.close())
    with pytest.raises(errors.ClientClosed):
        asyncio.run(add(client))


def test_places_for_calls_are_those_of_the_loop() -> None:
    """Calls that were queued in a loop that ended hold no place in the next one."""

    async def leave_waiting(client: AsyncClient) -> None:
        tasks = [asyncio.create_task(client.predict("any", {"x": number})) for number in range(3)]
        await asyncio.to_thread(server.arrived.wait, 240)
        del tasks  # asyncio.run cancels what is left

    with counting(seconds=600.0) as server:
        client = AsyncClient(server.address, max_in_flight=1, timeout=0.2)
        asyncio.run(leave_waiting(client))
        with pytest.raises(errors.DeadlineExceeded):
            asyncio.run(asyncio.wait_for(client.predict("any", {"x": 1}), 240))
        asyncio.run(client.close())


def test_loops_that_take_turns_each_have_their_answers(toy_server: ModelServer) -> None:
    """As those of pytest-asyncio do: one for the session, and one for each test."""
    loops = [asyncio.new_event_loop() for _ in range(2)]
    client = AsyncClient(toy_server.address)
    assert [loops[number % 2].run_until_complete(add(client)) for number in range(6)] == [[2.0, 2.0]] * 6
    loops[1].run_until_complete(client.close())
    for loop in loops:
        loop.close()


def test_a_client_that_is_closed_in_another_loop_is_closed(toy_server: ModelServer) -> None:
    client = AsyncClient(toy_server.address)
    asyncio.run(add(client))
    asyncio.run(client.close())
    with pytest.raises(errors.ClientClosed):
        asyncio.run(add(client))


def test_another_loop_at_the_same_time_is_told_what_to_do(toy_server: ModelServer) -> None:
    async def ask() -> None:
        async with AsyncClient(toy_server.address) as client:
            expected = await add(client)
            for call in (add, lambda client: client.upscale(np.zeros((4, 4, 3), np.uint8))):
                with pytest.raises(
                    errors.WrongEventLoop, match="make one for each event loop, or use a Client"
                ):
                    await asyncio.to_thread(asyncio.run, call(client))
            assert await add(client) == expected

    asyncio.run(ask())


def test_a_wrong_loop_is_a_runtime_error_too() -> None:
    assert issubclass(errors.WrongEventLoop, RuntimeError) and issubclass(
        errors.WrongEventLoop, errors.CallError
    )


def test_a_client_is_opened_used_and_closed_in_different_tasks(toy_server: ModelServer) -> None:
    async def ask() -> list[float]:
        client = await asyncio.create_task(AsyncClient(toy_server.address).__aenter__())
        found = await asyncio.create_task(add(client))
        await asyncio.create_task(client.__aexit__(None, None, None))
        with pytest.raises(errors.ClientClosed):
            await asyncio.create_task(add(client))
        return found

    assert asyncio.run(ask()) == [2.0, 2.0]


def test_the_other_client_works_within_a_running_loop(toy_server: ModelServer) -> None:
    """As in a cell of a notebook, whose loop runs."""

    async def cell() -> list[list[float]]:
        with Client(toy_server.address) as client:
            client.wait_ready(models=["add"])
            mapped = [outcome.result for outcome in client.map([add] * 5)]
            return [*mapped, next(iter(client.predict("add", TERMS).values())).tolist()]

    assert asyncio.run(cell()) == [[2.0, 2.0]] * 6


def test_both_clients_work_side_by_side_in_a_running_loop(toy_server: ModelServer) -> None:
    async def cell() -> None:
        async with AsyncClient(toy_server.address) as asynchronous:
            with Client(toy_server.address) as client:
                assert await add(asynchronous) == next(client.map([add])).result
                assert await add(asynchronous) == [2.0, 2.0]

    asyncio.run(cell())


def test_what_is_left_of_a_loop_that_ended_disturbs_nobody(toy_server: ModelServer) -> None:
    """Clients that nobody closed, in loops that ended, do not keep later ones from their answers."""

    async def forget() -> list[float]:
        return await add(AsyncClient(toy_server.address))

    assert [asyncio.run(forget()) for _ in range(5)] == [[2.0, 2.0]] * 5
    assert in_another_thread(lambda: asyncio.run(forget())) == [2.0, 2.0]


def test_a_task_that_is_cancelled_again_and_again_waits_for_its_thread_all_the_same() -> None:
    release = threading.Event()
    ended: list[bool] = []

    async def cancelled_often() -> None:
        task = asyncio.create_task(in_thread(lambda: ended.append(release.wait(240))))
        for _ in range(3):
            await asyncio.sleep(0.01)
            task.cancel()
        was_done = task.done()
        release.set()
        assert not was_done
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()

    asyncio.run(cancelled_often())
    assert ended == [True]
