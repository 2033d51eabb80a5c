"""Calls that are sent again because their answer is late: which answer is taken, what is cancelled, and the budget."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc
import numpy as np
import pytest
from hypothesis import given, strategies

from client_servers import Answer, ScriptedServer, prediction, scripted
from impasto.client import AsyncClient, Client, Retries, errors
from impasto.client._hedging import ATTEMPTS, Hedging, first_answer, is_final
from impasto.client.errors import STATUS_ERRORS

SOON = 0.02  # seconds; an answer may be late for no reason but a busy machine, so no test counts on one that is not
NEVER = 60.0  # longer than any test waits
ONCE = Retries(attempts=1)


def number(value: float) -> bytes:
    return prediction(y=np.array([value], np.float32))


@dataclass
class Attempts:
    """Does to each attempt, in the order in which they arrive, what the test wants done to that one.

    Attributes:
        behaviours: for the first attempt, the second and so on; the last one is for all that follow.
        cancelled: set when a call that is held up ends; within a quarter of NEVER only by being cancelled.
        enough: set at the end of the test, to let those go that are held up.
    """

    behaviours: list[Answer]
    cancelled: threading.Event = field(default_factory=threading.Event)
    enough: threading.Event = field(default_factory=threading.Event)
    arrived: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        with self.lock:
            behaviour = self.behaviours[min(self.arrived, len(self.behaviours) - 1)]
            self.arrived += 1
        return behaviour(request, context)

    def hold(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        """Never answers while the test runs."""
        context.add_callback(self.cancelled.set)
        self.enough.wait(NEVER)
        return number(-1)


def answering(value: float) -> Answer:
    return lambda request, context: number(value)


def failing(code: grpc.StatusCode) -> Answer:
    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        context.abort(code, "as the test wants")
        raise AssertionError("abort raises")

    return answer


@contextmanager
def serving(attempts: Attempts) -> Iterator[ScriptedServer]:
    with scripted(attempts) as server:
        try:
            yield server
        finally:
            attempts.enough.set()


def attempts_of(*behaviours: Callable[[Attempts], Answer]) -> Attempts:
    made = Attempts([])
    made.behaviours = [behaviour(made) for behaviour in behaviours]
    return made


def held(attempts: Attempts) -> Answer:
    return attempts.hold


def answered(value: float) -> Callable[[Attempts], Answer]:
    return lambda attempts: answering(value)


def failed(code: grpc.StatusCode) -> Callable[[Attempts], Answer]:
    return lambda attempts: failing(code)


def call(client: Client, timeout: float | None = None) -> float:
    return float(client.predict("m", {}, timeout=timeout)["y"][0])


def test_a_late_call_is_answered_by_the_next_attempt_and_the_late_one_is_cancelled() -> None:
    attempts = attempts_of(held, answered(2))
    with serving(attempts) as server, Client(server.address, hedge=SOON) as client:
        assert call(client) == 2
        assert attempts.cancelled.wait(NEVER / 4)
    assert 2 <= attempts.arrived <= ATTEMPTS  # the second one's answer may be late, too


class Attempt:
    """A gRPC future that has been answered, or never is."""

    def __init__(self, *, answered: bool) -> None:
        self.answered = answered
        self.cancelled = False

    def add_done_callback(self, callback: Callable[[Attempt], None]) -> None:
        if self.answered:
            callback(self)

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.OK

    def cancel(self) -> None:
        self.cancelled = True


def test_no_third_attempt_is_sent_where_the_second_one_answers_in_time() -> None:
    sent: list[Attempt] = []

    def start(timeout: float | None) -> Attempt:
        sent.append(Attempt(answered=len(sent) == 1))
        return sent[-1]

    decided = first_answer(start, timeout=NEVER, delay=SOON, hedging=Hedging(SOON))
    assert len(sent) == 2
    assert decided is sent[1]
    assert sent[0].cancelled


def test_the_replica_that_answers_is_taken_where_another_stalls() -> None:
    stalled = attempts_of(held)
    with (
        serving(stalled) as bad,
        scripted(answering(1)) as good,
        Client(f"{bad.address},{good.address}", hedge=SOON) as client,
    ):
        while stalled.arrived < 3:  # round robin comes to it every other time, once both connections are up
            assert call(client) == 1


def test_a_call_is_sent_three_times_at_most() -> None:
    attempts = attempts_of(held)
    with (
        serving(attempts) as server,
        Client(server.address, hedge=SOON) as client,
        pytest.raises(errors.DeadlineExceeded),
    ):
        call(client, timeout=2)
    assert attempts.arrived == ATTEMPTS == 3


def test_a_call_that_is_answered_in_time_is_sent_once() -> None:
    attempts = attempts_of(answered(1))
    with serving(attempts) as server, Client(server.address, hedge=NEVER / 2) as client:
        assert call(client, timeout=NEVER) == 1
    assert attempts.arrived == 1


def test_no_call_is_sent_again_unless_that_is_asked_for() -> None:
    attempts = attempts_of(held, answered(2))
    with (
        serving(attempts) as server,
        Client(server.address) as client,
        pytest.raises(errors.DeadlineExceeded),
    ):
        call(client, timeout=1)
    assert attempts.arrived == 1


def test_a_call_whose_timeout_is_shorter_than_the_delay_is_sent_once() -> None:
    attempts = attempts_of(held, answered(2))
    with (
        serving(attempts) as server,
        Client(server.address, hedge=1) as client,
        pytest.raises(errors.DeadlineExceeded),
    ):
        call(client, timeout=1)
    assert attempts.arrived == 1


def test_all_attempts_share_one_timeout() -> None:
    allowed: list[float] = []  # seconds from the call's start to each attempt's end, as the server reads them

    def note(attempts: Attempts) -> Answer:
        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            allowed.append(time.monotonic() - started + context.time_remaining())
            return attempts.hold(request, context) if len(allowed) < ATTEMPTS else number(3)

        return answer

    attempts = attempts_of(note)
    hedge, timeout = 0.5, 9.0  # gRPC sends one of ten seconds or more rounded up to a second
    with serving(attempts) as server, Client(server.address, hedge=hedge) as client:
        started = time.monotonic()
        assert call(client, timeout=timeout) == 3
    assert len(allowed) == ATTEMPTS
    assert min(allowed) > timeout - 0.01
    assert max(allowed) < timeout + hedge  # with a timeout each, the last one would have two of them more


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED])
def test_the_late_attempt_may_still_answer_where_the_next_one_meets_a_bad_replica(
    code: grpc.StatusCode,
) -> None:
    goes_on = threading.Event()

    def late(attempts: Attempts) -> Answer:
        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            goes_on.wait(NEVER)
            return number(7)

        return answer

    def bad(attempts: Attempts) -> Answer:
        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            context.add_callback(goes_on.set)  # the late one answers after this one has failed
            return failing(code)(request, context)

        return answer

    attempts = attempts_of(late, bad)
    with serving(attempts) as server, Client(server.address, hedge=SOON, retries=ONCE) as client:
        assert call(client) == 7


def test_a_failure_that_every_replica_would_give_ends_the_call() -> None:
    attempts = attempts_of(held, failed(grpc.StatusCode.INVALID_ARGUMENT))
    with serving(attempts) as server, Client(server.address, hedge=SOON) as client:
        with pytest.raises(errors.InvalidInput) as caught:
            call(client, timeout=NEVER)
        assert isinstance(caught.value.__cause__, grpc.RpcError)
        assert attempts.cancelled.wait(NEVER / 4)


def test_where_every_attempt_fails_the_failure_is_raised() -> None:
    attempts = attempts_of(failed(grpc.StatusCode.INTERNAL))
    with (
        serving(attempts) as server,
        Client(server.address, hedge=NEVER / 2) as client,
        pytest.raises(errors.ServerFault),
    ):
        call(client, timeout=NEVER)
    assert attempts.arrived == 1


def test_a_client_that_is_closed_ends_its_calls_with_an_error_of_its_own() -> None:
    attempts = attempts_of(held)
    with serving(attempts) as server:
        client = Client(server.address, hedge=SOON)
        threading.Timer(0.3, client.close).start()
        with pytest.raises(errors.CallAborted):
            call(client, timeout=NEVER)


def test_when_everything_is_late_few_calls_are_sent_again() -> None:
    late = threading.Event()

    def wait(attempts: Attempts) -> Answer:
        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            late.wait(4 * SOON)
            return number(1)

        return answer

    attempts = attempts_of(wait)
    calls = 40
    with serving(attempts) as server, Client(server.address, hedge=SOON) as client:
        for _ in range(calls):
            call(client)
    assert calls < attempts.arrived <= calls + 10 + calls / 10


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_spent_budget_is_asked_seldom_however_small_the_delay_is(
    asynchronous: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Hedging] = []

    def spent(hedging: Hedging) -> bool:
        asked.append(hedging)
        return False

    async def call_late(address: str) -> None:
        async with AsyncClient(address, hedge=1e-7) as client:
            with pytest.raises(errors.DeadlineExceeded):
                await client.predict("m", {}, timeout=1)

    monkeypatch.setattr(Hedging, "granted", spent)
    attempts = attempts_of(held)
    with serving(attempts) as server:
        if asynchronous:
            asyncio.run(call_late(server.address))
        else:
            with Client(server.address, hedge=1e-7) as client, pytest.raises(errors.DeadlineExceeded):
                call(client, timeout=1)
    assert 1 <= len(asked) <= 10


@given(strategies.lists(strategies.booleans(), max_size=400))
def test_the_budget_grants_ten_and_then_a_tenth_of_all_calls(events: list[bool]) -> None:
    hedging = Hedging(1.0)
    begun = granted = 0
    for is_call in events:
        if is_call:
            hedging.begin()
            begun += 1
        else:
            granted += hedging.granted()
    assert granted <= 10 + begun / 10 + 1e-9
    if len(events) - begun <= 10:
        assert granted == len(events) - begun


def test_a_delay_without_end_or_beyond_the_timeout_is_none() -> None:
    assert Hedging(math.inf).delay(None) is None
    assert Hedging(math.inf).delay(5) is None
    assert Hedging(2).delay(None) == 2
    assert Hedging(2).delay(5) == 2
    assert Hedging(2).delay(2) is None


def test_it_is_settled_for_every_status_whether_it_is_final() -> None:
    another_may_answer = {code.name for code in grpc.StatusCode if not is_final(code)}
    assert another_may_answer == {
        *("ABORTED", "CANCELLED", "DATA_LOSS", "INTERNAL", "RESOURCE_EXHAUSTED", "UNAVAILABLE", "UNKNOWN")
    }
    assert is_final(grpc.StatusCode.OK)
    assert set(STATUS_ERRORS) | {grpc.StatusCode.OK} == set(grpc.StatusCode)
