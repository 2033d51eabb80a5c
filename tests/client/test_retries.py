"""A job outlasts a server that is away, for a while and not for ever. The policy is asked by hand, without waiting."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import grpc
import pytest

from impasto.client import Settings
from impasto.client._transport.blocking import SyncTransport
from impasto.client._transport.calls import ping_call
from impasto.client._transport.patience import Patience, Wait
from impasto.client.errors import (
    BatchMismatch,
    CallAborted,
    CallError,
    DeadlineExceeded,
    InvalidInput,
    MessageTooLarge,
    ModelNotFound,
    NotBatchable,
    OutOfMemory,
    PreconditionFailed,
    ServerFault,
    ServerOverloaded,
    ServerUnavailable,
)
from scripted.client_servers import scripted


@pytest.fixture(autouse=True)
def no_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses that vary by nothing."""
    monkeypatch.setattr(random, "uniform", lambda least, most: (least + most) / 2)


def patience_of(seconds: float = 60.0, *, met: bool = True) -> Patience:
    """The patience of a job whose server has answered before, if it has met it."""
    patience = Patience(seconds)
    patience.met = met
    return patience


def outcome(failures: Sequence[CallError], *, patience: float = 60.0, met: bool = True) -> list[float]:
    """The pauses of a call of a job between its rounds, which fail with these failures in turn."""
    wait = Wait(patience_of(patience, met=met))
    return [wait.pause_after(failure) for failure in failures]


@pytest.mark.parametrize(
    "failure",
    [ServerUnavailable("away"), ServerOverloaded("busy"), BatchMismatch("met another"), CallAborted("stops")],
)
def test_a_call_is_sent_again_with_growing_pauses(failure: CallError) -> None:
    assert outcome([failure] * 7) == [0.2, 0.4, 0.8, 1.0, 1.0, 1.0, 1.0]


def test_a_job_knows_of_each_time_that_its_call_is_sent_again() -> None:
    told: list[None] = []
    patience = patience_of()
    call = replace(ping_call(), patience=patience, on_failure=lambda: told.append(None))
    busy = grpc.StatusCode.RESOURCE_EXHAUSTED
    away = grpc.StatusCode.UNAVAILABLE
    failures = iter([away, busy, away, None])

    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        if (code := next(failures)) is not None:
            context.abort(code, "as the test wants")
        return b""

    with scripted(answer) as server:
        transport = SyncTransport(Settings(address=server.address))
        assert transport.send(call, timeout=240) == ()
        transport.close()
    assert len(told) == 3
    assert len(server.methods) == 4


def test_patience_ends() -> None:
    first, second = ServerUnavailable("away"), ServerUnavailable("still away")
    with pytest.raises(
        ServerUnavailable, match=r"still away; waited 0\.3 s .* patience \(IMPASTO_PATIENCE\)"
    ) as caught:
        outcome([first, second], patience=0.3)
    assert caught.value.__cause__ is second


@pytest.mark.parametrize(
    "failure",
    [
        InvalidInput("no"),
        ModelNotFound("no"),
        DeadlineExceeded("no"),
        ServerFault("no"),
        MessageTooLarge("no"),
        NotBatchable("no"),
        PreconditionFailed("no"),
    ],
)
def test_what_waiting_does_not_mend_is_raised_at_once(failure: CallError) -> None:
    with pytest.raises(type(failure)) as caught:
        outcome([failure])
    assert caught.value is failure


def test_a_call_for_which_there_is_no_memory_is_sent_once_more_and_no_more() -> None:
    wait = Wait(patience_of(met=False))
    failure = OutOfMemory("full")
    assert wait.pause_after(failure) == 1.0
    with pytest.raises(OutOfMemory) as caught:
        wait.pause_after(failure)
    assert caught.value is failure


def test_a_call_as_large_as_one_that_was_answered_waits_for_the_memory_to_be_free_again() -> None:
    wait = Wait(patience_of(), fits=True)
    assert [wait.pause_after(OutOfMemory("full")) for _ in range(5)] == [0.2, 0.4, 0.8, 1.0, 1.0]


def test_a_first_call_need_not_wait_for_a_server_that_is_not_there() -> None:
    with pytest.raises(ServerUnavailable):
        outcome([ServerUnavailable("away")], met=False)
    assert outcome([ServerOverloaded("busy")], met=False) == [0.2]
    assert outcome([BatchMismatch("met another")], met=False) == [0.2]


def test_those_who_were_refused_together_do_not_come_back_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    pauses = {outcome([ServerOverloaded("busy")])[0] for _ in range(100)}
    assert len(pauses) > 10
    assert all(0.1 <= pause <= 0.3 for pause in pauses)
