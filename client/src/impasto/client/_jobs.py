"""Long jobs, written once: generators that yield what to do next and receive its result.

A job does no I/O. It yields a Call and receives the parsed answer (or has the CallError thrown in); it yields
PatienceWanted and receives how long it may wait for its server; it yields a Progress for the caller's callback, a
Pause to wait, or a Snapshot to keep, and receives None. A sync driver runs it with blocking calls, an
async one with awaits.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from numpy.typing import NDArray

from impasto.client._transport import calls
from impasto.client._transport.calls import check_timeout
from impasto.client._transport.failures import how_to_start
from impasto.client._transport.patience import PatienceWanted
from impasto.client.errors import (
    CallAborted,
    CallError,
    CallUnsupported,
    ClientClosed,
    DeadlineExceeded,
    ModelNotFound,
    PreconditionFailed,
    ServerUnavailable,
    SignatureNotFound,
    TlsError,
)
from impasto.client.metadata import State
from impasto.client.signatures import SERVING_DEFAULT


@dataclass(frozen=True)
class Progress:
    """The progress of a job: `done` of `total` steps."""

    done: int
    total: int


@dataclass(frozen=True)
class Pause:
    """Wait this many seconds before the next step."""

    seconds: float


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Where a job is, from which the same job can go on in another process.

    Attributes:
        job: what identifies the job: everything that its result depends on, as JSON values.
        position: how far it is, by names of its own.
        arrays: its state.
    """

    job: Mapping[str, Any]
    position: Mapping[str, int]
    arrays: Mapping[str, NDArray[Any]]


ResultT = TypeVar("ResultT")
Step: TypeAlias = "calls.Call[Any] | Progress | Pause | Snapshot | PatienceWanted"
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
        ValueError: `timeout` is no time.
        ServerUnavailable: nothing answered within `timeout` seconds.
        TlsError: at once, if server and client do not trust each other.
        CallUnsupported: at once, if what answers is not TensorFlow Serving's gRPC port.
        ClientClosed: at once, if the client is closed.
        DeadlineExceeded: the server answers, but a model is not available in time; says which and why.
    """
    check_timeout(timeout)
    deadline = time.monotonic() + timeout
    yield from _until_answered(deadline, timeout, address)
    for model in models:
        yield from _until_available(model, deadline, timeout, address)


def _until_answered(deadline: float, timeout: float, address: str) -> Job[None]:
    while True:
        try:
            yield calls.ping_call()
        except (ServerUnavailable, DeadlineExceeded, CallAborted) as error:
            if time.monotonic() >= deadline:
                raise ServerUnavailable(
                    f"no model server answered at {address} within {timeout:g} seconds. {how_to_start(address)}",
                    code=error.code,
                    details=error.details,
                    address=address,
                ) from error
        except (TlsError, CallUnsupported, ClientClosed):
            raise  # waiting does not mend it
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
