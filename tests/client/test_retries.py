"""A job outlasts a server that is away, for a while and not for ever. The job is driven by hand, without waiting."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from impasto.client._calls import Call, ping_call
from impasto.client._jobs.steps import Pause, Steps
from impasto.client._patience import Patience, PatienceWanted
from impasto.client._retries import outlasting
from impasto.client.errors import (
    BatchMismatch,
    CallAborted,
    CallError,
    DeadlineExceeded,
    InvalidInput,
    MessageTooLarge,
    ModelNotFound,
    NotBatchable,
    PreconditionFailed,
    ServerFault,
    ServerOverloaded,
    ServerUnavailable,
)


@pytest.fixture(autouse=True)
def no_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses that vary by nothing."""
    monkeypatch.setattr(random, "uniform", lambda least, most: (least + most) / 2)


def patience_of(seconds: float = 60.0, *, met: bool = True) -> Patience:
    """The patience of a job whose server has answered before, if it has met it."""
    patience = Patience(seconds)
    patience.met = met
    return patience


def outcome(
    failures: Sequence[CallError], *, patience: float = 60.0, met: bool = True
) -> tuple[object, list[float]]:
    """What the call ends with after these failures in turn, and the pauses between its attempts."""
    call = ping_call()
    return driven(outlasting(call, patience_of(patience, met=met)), call, failures)


def driven(
    job: Steps[object], call: Call[object], failures: Sequence[CallError]
) -> tuple[object, list[float]]:
    pauses: list[float] = []

    def next_call() -> object:
        step = next(job)
        return job.send(patience_of()) if isinstance(step, PatienceWanted) else step

    assert next_call() == replace(call, patient=True)
    for failure in failures:
        step = job.throw(failure)
        assert isinstance(step, Pause)
        pauses.append(step.seconds)
        assert next_call() == replace(call, patient=True)
    with pytest.raises(StopIteration) as end:
        job.send("the answer")
    return end.value.value, pauses


@pytest.mark.parametrize(
    "failure",
    [ServerUnavailable("away"), ServerOverloaded("busy"), BatchMismatch("met another"), CallAborted("stops")],
)
def test_a_call_is_sent_again_with_growing_pauses(failure: CallError) -> None:
    assert outcome([failure] * 7) == ("the answer", [0.2, 0.4, 0.8, 1.0, 1.0, 1.0, 1.0])


def test_each_failure_that_is_waited_out_is_told() -> None:
    failures: list[None] = []
    job = outlasting(ping_call(), patience_of(), on_failure=lambda: failures.append(None))
    next(job)
    for count in (1, 2):
        assert isinstance(job.throw(ServerUnavailable("away")), Pause)
        assert len(failures) == count
        next(job)
    with pytest.raises(ModelNotFound):
        job.throw(ModelNotFound("gone"))
    assert len(failures) == 2


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


def test_a_first_call_need_not_wait_for_a_server_that_is_not_there() -> None:
    with pytest.raises(ServerUnavailable):
        outcome([ServerUnavailable("away")], met=False)
    assert outcome([ServerOverloaded("busy")], met=False) == ("the answer", [0.2])
    assert outcome([BatchMismatch("met another")], met=False) == ("the answer", [0.2])


def test_those_who_were_refused_together_do_not_come_back_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    pauses = {outcome([ServerOverloaded("busy")])[1][0] for _ in range(100)}
    assert len(pauses) > 10
    assert all(0.1 <= pause <= 0.3 for pause in pauses)
