"""Send calls over a channel and wait for their answers."""

from __future__ import annotations

import threading
import time
from typing import TypeVar, cast

import grpc

from impasto.client import channel
from impasto.client._calls import Call
from impasto.client._closing import Closable
from impasto.client._failures import failure
from impasto.client._hedging import Hedging, first_answer
from impasto.client._lookup import Lookup
from impasto.client._resending import Attempts
from impasto.client.errors import CallError
from impasto.client.settings import Settings

ResultT = TypeVar("ResultT")


class SyncTransport(Closable):
    """A channel that sends one Call at a time for each thread that asks; threads may share it."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.address)
        self._settings = settings
        self._metadata = settings.call_metadata()
        self._hedging = Hedging(settings.hedge)
        self._lookup = Lookup(settings.address)
        self._credentials = channel.credentials(settings)
        self._target = self._lookup.target
        self._channel = channel.channel_to(self._target, settings, self._credentials)
        self._lock = threading.Lock()

    def send(self, call: Call[ResultT], *, timeout: float | None) -> ResultT:
        """The parsed answer. Raises CallError; an answer that cannot be read is a DecodeError.

        Threads may close the transport meanwhile.
        """
        attempts = Attempts(self._settings.retries, timeout)
        while True:
            try:
                return self._send_once(call, attempts.left())
            except CallError as error:
                if (pause := attempts.pause_after(error)) is None:
                    raise
            time.sleep(pause)

    def _send_once(self, call: Call[ResultT], timeout: float | None) -> ResultT:
        method: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._open().unary_unary(call.method)
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
            if code is grpc.StatusCode.UNAVAILABLE:
                self._lookup.look_again(failed=True)
            raise failure(call, code, details, address=self.address, tls=self._settings.tls) from error
        except ValueError:  # with which gRPC refuses calls over a closed channel
            self.check_open(call.model)
            raise
        return call.parse(payload)

    def _open(self) -> grpc.Channel:
        """The channel to where the replicas are now. One to where they were lives on in the calls under way over it."""
        self._lookup.look_again()
        with self._lock:
            if self._target != self._lookup.target and not self._closed:
                self._target = self._lookup.target
                self._channel = channel.channel_to(self._target, self._settings, self._credentials)
            return self._channel

    def close(self) -> None:
        """Drop the connections; calls in flight end with CallAborted."""
        with self._lock:
            self._closed = True
            self._channel.close()
