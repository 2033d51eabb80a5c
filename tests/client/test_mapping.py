"""Many items at once: bounded, in order, one failure stopping no other, and nothing left running."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impasto.client import AsyncClient, Client
from impasto.client._jobs.background import BackgroundLoop
from impasto.client._jobs.mapping import Outcome, map_in_order
from impasto.client._transport.asynchronous import in_thread
from impasto.client.errors import NotAnImage


async def collect(outcomes: AsyncGenerator[Outcome[Any, Any], None]) -> list[Outcome[Any, Any]]:
    return [outcome async for outcome in outcomes]


class Busy:
    """A function to map that counts how many of its calls are under way."""

    def __init__(self, pause: Callable[[int], float] = lambda item: 0.0) -> None:
        self.now = 0
        self.most = 0
        self.begun: list[int] = []
        self.cancelled: list[int] = []
        self._pause = pause

    async def __call__(self, item: int) -> int:
        self.begun.append(item)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(self._pause(item))
        except asyncio.CancelledError:
            self.cancelled.append(item)
            raise
        finally:
            self.now -= 1
        return item * item


@given(
    pauses=st.lists(st.sampled_from([0.0, 0.001, 0.003]), max_size=20),
    concurrency=st.integers(1, 6),
)
def test_results_come_in_order_and_no_more_are_under_way_than_asked(
    pauses: list[float], concurrency: int
) -> None:
    busy = Busy(lambda item: pauses[item])

    outcomes = asyncio.run(collect(map_in_order(busy, range(len(pauses)), concurrency=concurrency)))

    assert [(outcome.index, outcome.item, outcome.result) for outcome in outcomes] == [
        (number, number, number * number) for number in range(len(pauses))
    ]
    assert busy.most <= concurrency
    assert busy.now == 0


def test_as_many_are_under_way_as_asked() -> None:
    async def meet() -> list[Outcome[int, None]]:
        everybody = asyncio.Event()
        waiting = 0

        async def wait_for_the_others(item: int) -> None:
            nonlocal waiting
            waiting += 1
            if waiting == 5:
                everybody.set()
            await asyncio.wait_for(everybody.wait(), 240)

        return await collect(map_in_order(wait_for_the_others, range(5), concurrency=5))

    assert [outcome.error for outcome in asyncio.run(meet())] == [None] * 5


@pytest.mark.parametrize("failure", [NotAnImage("no picture"), FileNotFoundError(2, "No such file")])
def test_an_item_that_fails_does_not_stop_the_rest(failure: Exception) -> None:
    async def fail_at_two(item: int) -> int:
        if item == 2:
            raise failure
        return item

    outcomes = asyncio.run(collect(map_in_order(fail_at_two, range(5), concurrency=2)))

    assert [outcome.error for outcome in outcomes] == [None, None, failure, None, None]
    assert [outcome.result for outcome in outcomes if outcome.error is None] == [0, 1, 3, 4]
    with pytest.raises(type(failure)):
        _ = outcomes[2].result


def test_a_mistake_in_the_function_ends_all_and_leaves_nothing_running() -> None:
    busy = Busy(lambda item: 60.0)

    async def mistaken(item: int) -> int:
        if item == 1:
            raise ZeroDivisionError
        return await busy(item)

    async def run() -> None:
        with pytest.raises(ZeroDivisionError):
            # Item 0 takes a minute and is first in order; the mistake must not wait for it.
            await asyncio.wait_for(collect(map_in_order(mistaken, range(5), concurrency=3)), 240)
        assert busy.now == 0

    asyncio.run(run())
    assert set(busy.cancelled) == {0, 2} | (set(busy.begun) - {0, 2})


def test_what_the_items_raise_is_raised_after_what_came_before() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise LookupError("no more")

    seen: list[int] = []

    async def run() -> None:
        async for outcome in map_in_order(Busy(), items(), concurrency=2):
            seen.append(outcome.item)

    with pytest.raises(LookupError, match="no more"):
        asyncio.run(run())
    assert seen == [1, 2]


def test_items_are_taken_only_as_there_is_room() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    async def run() -> None:
        outcomes = map_in_order(Busy(), items(), concurrency=3)
        await anext(outcomes)
        await asyncio.sleep(0.05)
        assert len(taken) <= 2 * 3 + 2  # those ahead, the one yielded and the one that waits for room
        await outcomes.aclose()

    asyncio.run(run())


def test_whoever_stops_cancels_what_is_under_way() -> None:
    busy = Busy(lambda item: 0.0 if item == 0 else 60.0)

    async def run() -> None:
        outcomes = map_in_order(busy, range(10), concurrency=4)
        assert (await anext(outcomes)).item == 0
        await asyncio.sleep(0.02)
        await outcomes.aclose()

    asyncio.run(run())
    assert busy.now == 0
    assert len(busy.cancelled) >= 3


@pytest.mark.parametrize("concurrency", [0, -1])
def test_a_concurrency_below_one_is_refused(concurrency: int) -> None:
    with pytest.raises(ValueError, match=r"concurrency is -?\d; it must be 1 or more"):
        asyncio.run(collect(map_in_order(Busy(), [1], concurrency=concurrency)))


def test_a_background_loop_gives_results_and_errors() -> None:
    async def double(number: int) -> int:
        await asyncio.sleep(0)
        return 2 * number

    async def fail() -> None:
        raise LookupError("as it should")

    with BackgroundLoop() as loop:
        assert loop.run(double(21)) == 42
        with pytest.raises(LookupError, match="as it should"):
            loop.run(fail())
        assert loop.run(double(1)) == 2


def test_an_interrupted_wait_cancels_the_work_and_waits_for_its_end() -> None:
    ended = threading.Event()

    async def long() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.05)
            ended.set()

    interrupt = threading.Timer(0.2, _interrupt)
    with BackgroundLoop() as loop:
        interrupt.start()
        started = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            loop.run(long())
        assert ended.is_set()
        assert time.monotonic() - started < 600


@pytest.mark.parametrize("is_handed_over", [False, True])
def test_work_that_is_interrupted_before_the_wait_is_cancelled_too(
    is_handed_over: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_over = asyncio.BaseEventLoop.call_soon_threadsafe
    interrupts = [KeyboardInterrupt()]

    def interrupted(*arguments: Any, **options: Any) -> asyncio.Handle:
        if interrupts and not is_handed_over:
            raise interrupts.pop()
        handle = hand_over(*arguments, **options)
        if interrupts:
            raise interrupts.pop()
        return handle

    async def tasks() -> int:
        return len(asyncio.all_tasks())

    with BackgroundLoop() as loop:
        monkeypatch.setattr(asyncio.BaseEventLoop, "call_soon_threadsafe", interrupted)
        with pytest.raises(KeyboardInterrupt):
            loop.run(asyncio.sleep(3600))
        assert loop.run(tasks()) == 1  # the one that counts


def test_a_second_interrupt_gives_up_what_cannot_be_stopped() -> None:
    blocked, cancelled, release = threading.Event(), threading.Event(), threading.Event()

    def write_to_a_pipe_that_nobody_reads() -> None:
        blocked.set()
        release.wait(240)

    async def stuck() -> None:
        writing = asyncio.ensure_future(in_thread(write_to_a_pipe_that_nobody_reads))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            cancelled.set()
            await writing

    async def clean_up() -> None:
        raise AssertionError("nothing is awaited any more")

    def interrupt_twice() -> None:
        for event in (blocked, cancelled):
            assert event.wait(240)
            _interrupt()

    interrupter = threading.Thread(target=interrupt_twice)
    try:
        with BackgroundLoop() as loop:
            interrupter.start()
            with pytest.raises(KeyboardInterrupt):
                loop.run(stuck())
            loop.finish(clean_up())
    finally:
        release.set()
        interrupter.join()


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("raiser", ["function", "items", "a task of the function"])
def test_what_ends_a_program_reaches_the_caller_of_a_map(kind: type[BaseException], raiser: str) -> None:
    def items() -> Iterator[int]:
        yield 0
        if raiser == "items":
            raise kind(3)
        yield 1

    async def end_the_program() -> None:
        raise kind(3)

    async def function(client: AsyncClient, item: int) -> None:
        if raiser == "function" and item == 1:
            raise kind(3)
        if raiser == "a task of the function" and item == 1:
            await asyncio.create_task(end_the_program())

    with Client("localhost:1") as client, pytest.raises(kind) as caught:
        list(client.map(partial(function, item=item) for item in items()))
    assert caught.value.args == (3,)


def _interrupt() -> None:
    """Do as Ctrl-C does where this thread gets it, as it may: Python notes it, and does not wake the main thread."""
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)
