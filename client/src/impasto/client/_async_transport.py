"""Send calls over a channel and await their answers."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from typing import Final, TypeVar

import grpc
import grpc.aio

from impasto.client import channel
from impasto.client._async_hedging import first_answer
from impasto.client._async_room import Room
from impasto.client._calls import Call
from impasto.client._closing import Closable
from impasto.client._failures import call_error, failure
from impasto.client._hedging import Hedging
from impasto.client._lookup import Lookup
from impasto.client._resending import Attempts
from impasto.client._threads import in_thread
from impasto.client.errors import CallError
from impasto.client.settings import Settings

# Parsing a larger answer than this is left to a thread: it takes milliseconds, for which the event loop should not
# stand still.
_LARGE: Final = 1 << 20

ResultT = TypeVar("ResultT")


class AsyncTransport(Closable):
    """A channel that has many calls under way at once, but no more than the settings' `max_in_flight`.

    It belongs to the event loop of its first call.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.address)
        self._settings = settings
        self._metadata = settings.call_metadata()
        self._hedging = Hedging(settings.hedge)
        self._lookup = Lookup(settings.address)
        self._target = self._lookup.target
        self._credentials = channel.credentials(settings)
        self._places = asyncio.Semaphore(settings.max_in_flight)
        self._room = Room()
        self._channel: grpc.aio.Channel | None = None

    async def send(self, call: Call[ResultT], *, timeout: float | None) -> ResultT:
        """The parsed answer. Raises CallError; an answer that cannot be read is a DecodeError.

        The timeout, in seconds, begins when there is a place for the call. Whoever is cancelled while waiting for the
        answer cancels the call.
        """
        if not call.patient:
            return await self._send(call, timeout)
        async with self._room.place():
            return await self._send(call, timeout)

    async def _send(self, call: Call[ResultT], timeout: float | None) -> ResultT:
        async with self._places:
            attempts = Attempts(self._settings.retries, timeout)
            while True:
                try:
                    payload = await self._send_once(call, attempts.left())
                    break
                except CallError as error:
                    if (pause := attempts.pause_after(error)) is None:
                        raise
                await asyncio.sleep(pause)
        if len(payload) > _LARGE:
            return await in_thread(partial(call.parse, payload))
        return call.parse(payload)

    async def _send_once(self, call: Call[ResultT], timeout: float | None) -> bytes:
        self.check_open(call.model)
        delay = self._hedging.delay(timeout)
        opened = self._open()  # held until the answer is there: a channel that nobody holds is closed
        method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = opened.unary_unary(call.method)

        async def send(seconds: float | None) -> bytes:
            return await method(call.request, timeout=seconds, metadata=self._metadata)

        try:
            if delay is None:
                return await send(timeout)
            return await first_answer(send, timeout=timeout, delay=delay, hedging=self._hedging)
        except grpc.aio.AioRpcError as error:
            raise await self._failure(call, error.code(), error.details() or "") from error
        except asyncio.CancelledError as error:
            # gRPC says so when the channel is closed, too, which is not for whoever waits to be cancelled by.
            if not self._closed or _is_being_cancelled():
                raise
            code = grpc.StatusCode.CANCELLED
            raise call_error(call, code, "the client was closed", address=self.address) from error

    def _open(self) -> grpc.aio.Channel:
        """The channel to where the replicas are now, made within the event loop that it belongs to."""
        self._lookup.look_again()
        if self._channel is None or self._target != self._lookup.target:
            self._target = self._lookup.target
            options = channel.channel_options(self._settings)
            compression = channel.COMPRESSION[self._settings.compression]
            if self._credentials is None:
                self._channel = grpc.aio.insecure_channel(self._target, options, compression)
            else:
                self._channel = grpc.aio.secure_channel(self._target, self._credentials, options, compression)
        return self._channel

    async def _failure(self, call: Call[ResultT], code: grpc.StatusCode, details: str) -> CallError:
        if code is grpc.StatusCode.UNAVAILABLE:
            self._lookup.look_again(failed=True)
        tell = partial(failure, call, code, details, address=self.address, tls=self._settings.tls)
        return await in_thread(tell) if code is grpc.StatusCode.UNAVAILABLE else tell()

    async def close(self) -> None:
        """Drop the connections; calls in flight end with CallAborted."""
        self._closed = True
        if self._channel is not None:
            await self._channel.close()


def _is_being_cancelled() -> bool:
    """Return whether somebody cancels the task that asks. Python 3.10 does not know; there the answer is no."""
    if sys.version_info >= (3, 11):
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0
    return False
