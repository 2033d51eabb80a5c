"""Send calls over a channel and wait for their responses."""

from __future__ import annotations

import time
from typing import TypeVar, cast

import grpc

from impasto.client._transport import forks
from impasto.client._transport.calls import Call, Metadata
from impasto.client._transport.channel import Closable, Lookup, channel_to, credentials
from impasto.client._transport.failures import call_error, explained, parsed
from impasto.client._transport.observing import Chunk, Observer, OnCall
from impasto.client._transport.patience import Attempts, Wait
from impasto.client._transport.slots import ThreadSlots
from impasto.client.errors import CallError
from impasto.client.settings import Settings

ResultT = TypeVar("ResultT")


class SyncTransport(Closable):
    """A channel that sends one Call at a time for each thread that asks; threads may share it.

    A forked child has a channel of its own.

    Args:
        settings: of the connection.
        on_call: told of each call in the thread that made it.

    Raises:
        ForkedProcess: gRPC cannot be used in this process.
    """

    def __init__(self, settings: Settings, on_call: OnCall | None = None) -> None:
        super().__init__(settings.address)
        self.observer = Observer(settings.address, on_call)
        forks.check_usable()
        self._settings = settings
        self._metadata = settings.call_metadata()
        self._lookup = Lookup(settings.address)
        self._credentials = credentials(settings)
        self._target = self._lookup.target
        self._process = forks.process()
        self._channel = channel_to(self._target, settings, self._credentials)
        self._lock = forks.Lock()
        self._slots = ThreadSlots()

    def send(self, call: Call[ResultT], *, timeout: float | None) -> ResultT:
        """Return the parsed response, after as many attempts as the policy has (see `patience`).

        Threads may close the transport meanwhile.

        Args:
            call: what to send.
            timeout: seconds for each round of attempts, from when there is a slot for it; None for no limit.

        Raises:
            CallError: what became of the last attempt; a response that cannot be read is a DecodeError.
            CancelledError: it was stopped, see Call.
        """
        with self.observer.chunk(call) as chunk:
            if call.patience is None:
                return self._round(call, chunk, timeout)
            with Wait(call.patience, fits=call.fits) as wait:
                while True:
                    try:
                        with self._slots_here().taken(call.stop):
                            return self._round(call, chunk, timeout)
                    except CallError as error:
                        pause = wait.pause_after(error)
                    call.on_failure()
                    _sleep(call, pause)

    def _round(self, call: Call[ResultT], chunk: Chunk, timeout: float | None) -> ResultT:
        attempts = Attempts(self._settings.retries, timeout)
        while True:
            try:
                return self._send_once(call, chunk, attempts.left())
            except CallError as error:
                if (pause := attempts.pause_after(error)) is None:
                    raise explained(error, tls=self._settings.tls) from error.__cause__
            call.on_failure()
            _sleep(call, pause)

    def _send_once(self, call: Call[ResultT], chunk: Chunk, timeout: float | None) -> ResultT:
        self.check_open(call.model)
        attempt = chunk.attempt()
        with attempt:
            payload = self._answer(call, timeout, (*self._metadata, *attempt.metadata))
            attempt.received(payload)
            answer = parsed(call, payload, address=self.address)
        attempt.answered(answer)
        return answer

    def _answer(self, call: Call[ResultT], timeout: float | None, metadata: Metadata) -> bytes | None:
        try:
            with forks.calling(call.model):
                method: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._open().unary_unary(call.method)
                if call.stop is None:
                    payload: bytes | None = method(call.request, timeout=timeout, metadata=metadata)
                    return payload
                under_way = method.future(call.request, timeout=timeout, metadata=metadata)
                with call.stop.reaching(under_way.cancel):
                    return cast(bytes | None, under_way.result())
        except grpc.FutureCancelledError:  # the channel was closed: a stopped call ends by CancelledError
            code, details = grpc.StatusCode.CANCELLED, "the client was closed"
            raise call_error(call, code, details, address=self.address) from None
        except grpc.RpcError as error:
            failed = cast(grpc.Call, error)  # what every failed unary call raises is both
            code, details = failed.code(), failed.details() or ""
            if code is grpc.StatusCode.UNAVAILABLE:
                self._lookup.look_again(failed=True)
            raise call_error(call, code, details, address=self.address) from error
        except ValueError:  # with which gRPC refuses calls over a closed channel
            self.check_open(call.model)
            raise

    def _open(self) -> grpc.Channel:
        """The channel to where the replicas are now. One to where they were lives on in the calls under way over it."""
        self._lookup.look_again()
        with self._lock:
            is_stale = self._process is not forks.process() or self._target != self._lookup.target
            if is_stale and not self._closed:
                self._process, self._target = forks.process(), self._lookup.target
                self._channel = channel_to(self._target, self._settings, self._credentials)
            return self._channel

    def _slots_here(self) -> ThreadSlots:
        """The slots of this process: a forked child has none of the threads that hold those of its parent."""
        with self._lock:
            if self._slots.process is not forks.process():
                self._slots = ThreadSlots()
            return self._slots

    def close(self) -> None:
        """Drop the connections; calls in flight end with CallAborted."""
        with self._lock:
            self._closed = True
            if self._process is forks.process():  # else it is the parent's
                self._channel.close()


def _sleep(call: Call[object], seconds: float) -> None:
    if call.stop is None:
        time.sleep(seconds)
    else:
        call.stop.sleep(seconds)
