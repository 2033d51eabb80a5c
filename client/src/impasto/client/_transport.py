"""Send calls over a channel and wait for their answers."""

from __future__ import annotations

from typing import TypeVar, cast

import grpc

from impasto.client import channel
from impasto.client._calls import Call
from impasto.client._closing import Closable
from impasto.client._failures import call_error, tls_error
from impasto.client._handshake import refusal
from impasto.client._hedging import Hedging, first_answer
from impasto.client.addresses import endpoints
from impasto.client.errors import CallError
from impasto.client.settings import Settings

ResultT = TypeVar("ResultT")


class SyncTransport(Closable):
    """A channel that sends one Call at a time for each thread that asks; threads may share it."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.address)
        self._tls = settings.tls
        self._metadata = settings.call_metadata()
        self._hedging = Hedging(settings.hedge)
        self._channel = channel.open_channel(settings)

    def send(self, call: Call[ResultT], *, timeout: float | None) -> ResultT:
        """The parsed answer. Raises CallError; an answer that cannot be read is a DecodeError.

        Threads may close the transport meanwhile.
        """
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
            raise self._failure(call, failed.code(), failed.details() or "") from error
        except ValueError:  # with which gRPC refuses calls over a closed channel
            self.check_open(call.model)
            raise
        return call.parse(payload)

    def _failure(self, call: Call[ResultT], code: grpc.StatusCode, details: str) -> CallError:
        if code is grpc.StatusCode.UNAVAILABLE:
            for endpoint in endpoints(self.address):
                if (reason := refusal(endpoint, self._tls)) is not None:
                    return tls_error(call, reason, details, address=self.address)
        return call_error(call, code, details, address=self.address)

    def close(self) -> None:
        """Drop the connections; calls in flight end with CallAborted."""
        self._closed = True
        self._channel.close()
