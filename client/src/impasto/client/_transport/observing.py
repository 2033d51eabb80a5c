"""Show calls to people and programs: log lines, hooks, and OpenTelemetry's spans and metrics are all fed here.

    what    is                                                      is shown by
    ──────  ──────────────────────────────────────────────────────  ──────────────────────────────────────────────────
    job     a verb, from its first step to its last                 a span
    chunk   one of its requests, with all its attempts and waits    a span in that one
    call    one attempt, from the request to the answer             a span in that one, metrics, the hook, a log line

A program that has not imported OpenTelemetry records nothing with it, so it is not imported for such a program.
"""

from __future__ import annotations

import functools
import logging
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from impasto.client._wire.messages import Prediction
from impasto.client.errors import CallError
from impasto.client.model import ModelMetadata
from impasto.client.texts import printable

if TYPE_CHECKING:
    from typing_extensions import Self

    from impasto.client._transport.calls import Call
    from impasto.client._transport.tracing import Telemetry

LOGGER: Final = logging.getLogger("impasto.client")

Attributes: TypeAlias = Mapping[str, str | int]

_NOTHING: Final = nullcontext()


@dataclass(frozen=True, kw_only=True, eq=False)
class CallRecord:
    """A call to the server that has ended. A request that is sent again is another call.

    Attributes:
        model: the model's name; may be empty.
        version: the version that answered; of a call that failed, the one that was asked for. 0 while it is not known.
        signature: the signature's name; empty for a call of status or metadata.
        method: the gRPC method, such as `tensorflow.serving.PredictionService/Predict`.
        server: the address, as the client was given it.
        attempt: 1 for the first time that the request is sent, 2 for the second.
        seconds: from the request to the answer, or the failure.
        bytes_sent: the size of the request, before compression.
        bytes_received: the size of the answer; 0 if there is none.
        error: the reason why it failed: a CallError, or what interrupted it, such as a CancelledError; None if it
            did not.
    """

    model: str
    version: int
    signature: str
    method: str
    server: str
    attempt: int
    seconds: float
    bytes_sent: int
    bytes_received: int
    error: BaseException | None

    @property
    def status(self) -> str:
        """The name of the gRPC status, such as `OK`; that of the error's class where there is no status."""
        if self.error is None:
            return "OK"
        code = self.error.code if isinstance(self.error, CallError) else None
        return type(self.error).__name__ if code is None else code.name

    def __str__(self) -> str:
        version = f"version {self.version}" if self.version else ""
        what = " ".join(filter(None, (self.method.rpartition("/")[2], self.model, version, self.signature)))
        return printable(
            f"{what} at {self.server}: attempt {self.attempt}, {self.status}, {self.seconds * 1000:.1f} ms, "
            f"{self.bytes_sent} bytes sent, {self.bytes_received} received"
        )


OnCall: TypeAlias = Callable[[CallRecord], None]
"""Is called when a call has ended, in the thread or the event loop that made it."""


class Span:
    """A stretch of work that nobody traces. A context manager: its end is the work's."""

    metadata: tuple[tuple[str, str], ...] = ()
    """The metadata by which the server knows of it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: TracebackType | None) -> None:
        self.end(error)

    def current(self) -> AbstractContextManager[None]:
        """Let what begins in the block belong to it. A generator must not yield in the block."""
        return _NOTHING

    def end(self, error: BaseException | None, attributes: Attributes | None = None) -> None:
        """The work is over."""


_UNSEEN: Final = Span()


class Observer:
    """Sees the calls of a client.

    Args:
        address: the server's, as the client was given it.
        on_call: the client's hook.
    """

    def __init__(self, address: str, on_call: OnCall | None) -> None:
        self.address: Final = address
        self._on_call = on_call

    def job(self, kind: str, model: str) -> Span:
        """The span of a job that begins now."""
        found = telemetry()
        return _UNSEEN if found is None else found.job(kind, model)

    def chunk(self, call: Call[Any]) -> Chunk:
        """A request that is to be sent."""
        return Chunk(self, call)

    def is_asked(self) -> bool:
        """Return whether anybody is to be told of a call."""
        return self._on_call is not None or LOGGER.isEnabledFor(logging.DEBUG) or telemetry() is not None

    def ended(self, record: CallRecord, span: Span) -> None:
        """Tell of a call that has ended. What the hook raises is logged: the call is not to blame."""
        found = telemetry()
        if found is not None:
            found.ended(record, span)
        LOGGER.debug("%s", record)
        if self._on_call is not None:
            try:
                self._on_call(record)
            except Exception:
                LOGGER.exception("on_call raised an exception; the call and its job go on")


class Chunk:
    """One request, with all its attempts. A context manager: its end is the request's."""

    def __init__(self, observer: Observer, call: Call[Any]) -> None:
        self._observer = observer
        self._call = call
        self._attempts = 0

    def __enter__(self) -> Self:
        found = telemetry()
        self._span = _UNSEEN if found is None else found.chunk(self._call)
        self._current = self._span.current()
        self._current.__enter__()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: TracebackType | None) -> None:
        self._current.__exit__(None, None, None)
        self._span.end(error)

    def attempt(self) -> Attempt:
        """The next attempt."""
        self._attempts += 1
        return Attempt(self._observer, self._call, self._attempts)


class Attempt:
    """One call. A context manager, which is entered again to read the answer; an exception in it ends the call.

    Attributes:
        metadata: what is sent with the request, beside the client's own.
    """

    def __init__(self, observer: Observer, call: Call[Any], number: int) -> None:
        self.metadata: tuple[tuple[str, str], ...] = ()
        self._observer = observer
        self._call = call
        self._number = number
        self._span: Span | None = None
        self._seconds: float | None = None
        self._received = 0

    def __enter__(self) -> None:
        if self._span is None:
            found = telemetry()
            address = self._observer.address
            self._span = _UNSEEN if found is None else found.call(self._call, address, self._number)
            self.metadata = self._span.metadata
            self._started = time.perf_counter()

    def __exit__(self, kind: object, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is not None:
            self._end(self._call.version, error)

    def received(self, payload: bytes | None) -> None:
        """The answer is there; reading it is not the server's time."""
        self._seconds = time.perf_counter() - self._started
        self._received = len(payload or b"")

    def answered(self, answer: object) -> None:
        """The answer is read: the call has ended well."""
        known = answer.version if isinstance(answer, Prediction | ModelMetadata) else 0
        self._end(known or self._call.version, None)

    def _end(self, version: int, error: BaseException | None) -> None:
        if self._span is None or not self._observer.is_asked():
            return
        record = CallRecord(
            model=self._call.model,
            version=version,
            signature=self._call.signature,
            method=self._call.method.lstrip("/"),
            server=self._observer.address,
            attempt=self._number,
            seconds=time.perf_counter() - self._started if self._seconds is None else self._seconds,
            bytes_sent=len(self._call.request),
            bytes_received=self._received,
            error=error,
        )
        self._observer.ended(record, self._span)


def telemetry() -> Telemetry | None:
    """OpenTelemetry; None if the program does not use it."""
    return loaded() if "opentelemetry.trace" in sys.modules else None


@functools.cache
def loaded() -> Telemetry | None:
    """OpenTelemetry; None if it is too old to have metrics."""
    try:
        from impasto.client._transport.tracing import Telemetry
    except ImportError:
        return None
    return Telemetry()
