"""Send calls over a channel and wait for their answers."""

from __future__ import annotations

import time
from typing import TypeVar, cast

import grpc

from impasto.client import channel
from impasto.client._calls import Call
from impasto.client._closing import Closable
from impasto.client._failures import failure
from impasto.client._hedging import Hedging, first_answer
from impasto.client._resending import Attempts
from impasto.client.errors import CallError
from impasto.client.settings import Settings

ResultT = TypeVar("ResultT")


class SyncTransport(Closable):
    """A channel that sends one Call at a time for each thread that asks; threads may share it."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.address)
        self._tls = settings.tls
        self._retries = settings.retries
        self._metadata = settings.call_metadata()
        self._hedging = Hedging(settings.hedge)
        self._channel = channel.open_channel(settings)

    def send(self, call: Call[ResultT], *, timeout: float | None) -> ResultT:
        """The parsed answer. Raises CallError; an answer that cannot be read is a DecodeError.

        Threads may close the transport meanwhile.
        """
        attempts = Attempts(self._retries, timeout)
        while True:
            try:
                return self._send_once(call, attempts.left())
            except CallError as error:
                if (pause := attempts.pause_after(error)) is None:
                    raise
            time.sleep(pause)

    def _send_once(self, call: Call[ResultT], timeout: float | None) -> ResultT:
        method: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(call.method)
        delay = self._hedging.delay(timeout)
        try:
            if delay is None:
                payload = method(call.request, timeout=timeout, metadata=self._metadata)
            else:

                def start(seconds: float | None) -> grpc.Future[bytes]:
                    return method.future(call.request, timeout=seconds, metadata=self._metadata)

                attempt = first_answer(start, timeout=timeout, delay=delay, hedging=self._hedging)
                payload = attempt.result()
        except grpc.RpcError as error:
            failed = cast(grpc.Call, error)  # what every failed unary call raises is both
            code, details = failed.code(), failed.details() or ""
            raise failure(call, code, details, address=self.address, tls=self._tls) from error
        except ValueError:  # with which gRPC refuses calls over a closed channel
            self.check_open(call.model)
            raise
        return call.parse(payload)

    def close(self) -> None:
        """Drop the connections; calls in flight end with CallAborted."""
        self._closed = True
        self._channel.close()
