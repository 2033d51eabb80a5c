"""Long jobs, written once: generators that yield what to do next and receive its result.

A job does no I/O. It yields a Call and receives the parsed answer (or has the CallError thrown in); it yields
a Progress for the caller's callback, or a Pause to wait, and receives None. A sync driver runs it with
blocking calls, an async one with awaits.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from impasto.client import _calls as calls
from impasto.client.errors import (
    CallError,
    DeadlineExceeded,
    ModelNotFound,
    PreconditionFailed,
    ServerUnavailable,
    SignatureNotFound,
)
from impasto.client.metadata import State
from impasto.client.signatures import SERVING_DEFAULT


@dataclass(frozen=True)
class Progress:
    """How far a job is: `done` of `total` steps."""

    done: int
    total: int


@dataclass(frozen=True)
class Pause:
    """Wait this many seconds before the next step."""

    seconds: float


ResultT = TypeVar("ResultT")
Step: TypeAlias = "calls.Call[Any] | Progress | Pause"
Job: TypeAlias = Generator[Step, Any, ResultT]

_POLL_SECONDS = 0.1


def predict_job(
    ref: calls.ModelRef,
    inputs: Mapping[str, object],
    *,
    signature: str | None,
    outputs: Sequence[str],
) -> Job[calls.Outputs]:
    """One Predict; where the model cannot run it, the metadata tells whether the signature is what is missing."""
    try:
        answer: calls.Outputs = yield calls.predict_call(ref, inputs, signature=signature, outputs=outputs)
    except PreconditionFailed as error:
        wanted = signature or SERVING_DEFAULT
        try:
            metadata = yield calls.metadata_call(ref)
        except CallError:
            raise error from error.__cause__
        if wanted in metadata.signatures:
            raise
        raise SignatureNotFound(
            f"{ref.name} has no signature {wanted!r}; it has {', '.join(sorted(metadata.signatures))}",
            code=error.code,
            details=error.details,
            address=error.address,
            model=error.model,
        ) from error
    return answer


def wait_ready_job(models: Iterable[str], *, timeout: float, address: str) -> Job[None]:
    """Polls until the server answers and every model has an AVAILABLE version.

    Raises:
        ServerUnavailable: nothing answered within `timeout` seconds.
        DeadlineExceeded: the server answers, but a model is not available in time; says which and why.
    """
    deadline = time.monotonic() + timeout
    yield from _until_answered(deadline)
    for model in models:
        yield from _until_available(model, deadline, timeout, address)


def _until_answered(deadline: float) -> Job[None]:
    while True:
        try:
            yield calls.ping_call()
        except (ServerUnavailable, DeadlineExceeded):
            if time.monotonic() >= deadline:
                raise
        except CallError:
            return  # it answers, with the refusal that a call for no model gets
        else:
            return
        yield Pause(_POLL_SECONDS)


def _until_available(model: str, deadline: float, timeout: float, address: str) -> Job[None]:
    last: CallError | None = None
    seen = "the server does not know it"
    while True:
        try:
            versions = yield calls.status_call(calls.ModelRef(model))
        except (ModelNotFound, ServerUnavailable, DeadlineExceeded) as error:
            last, seen = error, error.details
        else:
            if any(version.state is State.AVAILABLE for version in versions):
                return
            last = None
            seen = ", ".join(f"version {v.version} is {v.state.name} {v.error}".strip() for v in versions)
        if time.monotonic() >= deadline:
            raise DeadlineExceeded(
                f"{model} at {address} was not available within {timeout:g} seconds: {seen}",
                code=last.code if last else None,
                details=seen,
                address=address,
                model=model,
            ) from last
        yield Pause(_POLL_SECONDS)
