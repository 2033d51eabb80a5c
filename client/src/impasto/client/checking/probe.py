"""One replica, asked by itself: calls with what an answer alone does not tell, within the time that is left."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from numpy.typing import NDArray

from impasto.client import errors
from impasto.client._transport import calls
from impasto.client._transport.blocking import SyncTransport
from impasto.client._wire import messages
from impasto.client._wire.tensors import typed_outputs
from impasto.client.model import Model
from impasto.client.settings import CallKind, Settings

Outputs = Mapping[str, NDArray[Any]]
ResultT = TypeVar("ResultT")

_HEALTH: Final = "/grpc.health.v1.Health/Check"


class OutOfTime(Exception):  # noqa: N818 - says what happened, as the client's errors do
    """The time that the checks may take is over: nothing is wrong with the server."""


@dataclass(frozen=True)
class Clock:
    """The time that all checks together may take.

    Attributes:
        seconds: None for no limit.
        started: by `time.monotonic`.
    """

    seconds: float | None = None
    started: float = field(default_factory=time.monotonic)

    def left(self) -> float | None:
        """Seconds that are left; None for no limit. Raises OutOfTime."""
        if self.seconds is None:
            return None
        left = self.started + self.seconds - time.monotonic()
        if left <= 0:
            raise OutOfTime
        return left


@dataclass(frozen=True, eq=False)
class Answer:
    """A prediction and how it came.

    Attributes:
        outputs: the arrays by name.
        version: the version that answered; 0 if the server does not say.
        seconds: from the request to the parsed answer.
        typed: the outputs whose numbers came in typed fields.
        bytes: of the response.
    """

    outputs: Outputs
    version: int
    seconds: float = 0.0
    typed: Sequence[str] = ()
    bytes: int = 0


class Probe:
    """A connection to one replica. Threads may share it.

    Args:
        settings: whose address is one replica's.
        clock: the time that is left.

    Raises:
        SettingsError: a setting cannot be used.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self._transport = SyncTransport(settings)

    @property
    def server(self) -> str:
        """The replica's address."""
        return self.settings.address

    def close(self) -> None:
        """Drop the connection."""
        self._transport.close()

    def ask(self, call: calls.Call[ResultT], kind: CallKind = "status") -> ResultT:
        """Return the parsed answer to a call.

        Raises:
            CallError: the call failed.
            OutOfTime: the time of all checks ended before the call's own.
        """
        own = calls.call_timeout(call, None, kind=kind, timeouts=self.settings.timeouts)
        left = self.clock.left()
        is_short = left is not None and (own is None or left < own)
        try:
            return self._transport.send(call, timeout=left if is_short else own)
        except errors.DeadlineExceeded:
            if is_short:
                raise OutOfTime from None
            raise

    def predict(
        self, model: Model, signature: str, inputs: Mapping[str, object], kind: CallKind = "predict"
    ) -> Answer:
        """Call a signature. Raises as `ask`, and InvalidInput if an input cannot be sent."""
        sent = calls.predict_call(model, inputs, signature=signature)
        call = calls.Call(sent.method, sent.model, sent.request, _answer, sent.version, sent.signature)
        started = time.perf_counter()
        answer = self.ask(call, kind)
        return replace(answer, seconds=time.perf_counter() - started)

    def at_once(
        self, model: Model, signature: str, several: Sequence[Mapping[str, object]], kind: CallKind
    ) -> list[Answer | errors.CallError]:
        """Send several calls at the same time; what became of each. Raises OutOfTime."""

        def one(inputs: Mapping[str, object]) -> Answer | errors.CallError:
            try:
                return self.predict(model, signature, inputs, kind)
            except errors.CallError as error:
                return error

        with ThreadPoolExecutor(len(several)) as threads:
            return list(threads.map(one, several))

    def health(self) -> bytes:
        """Ask the health service; its answer's bytes. Raises CallUnsupported where there is none."""
        return self.ask(calls.Call(_HEALTH, "", b"", bytes))


def first_line(error: errors.CallError) -> str:
    """The server's own words, without the place in the graph that TensorFlow appends; else the client's."""
    return error.details.partition("\n")[0] or str(error)


def _answer(payload: bytes) -> Answer:
    read = messages.prediction(payload)
    return Answer(read.outputs, read.version, typed=typed_outputs(payload), bytes=len(payload))
