"""Send calls over a channel and await their responses."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

import grpc
import grpc.aio

from impasto.client._transport.calls import Call
from impasto.client._transport.channel import COMPRESSION, Closable, channel_options, credentials
from impasto.client._transport.failures import call_error, explained, parsed
from impasto.client._transport.lookup import Lookup
from impasto.client._transport.patience import Attempts, Wait
from impasto.client._transport.slots import Slots
from impasto.client.errors import CallError
from impasto.client.settings import Settings

# Parsing a larger response than this is left to a thread: it takes milliseconds, for which the event loop should not
# stand still.
_LARGE: Final = 1 << 20

ResultT = TypeVar("ResultT")


async def in_thread(function: Callable[[], ResultT]) -> ResultT:
    """Call `function` in a thread, so that the event loop goes on meanwhile.

    A thread cannot be stopped: whoever is cancelled while it runs waits for its end, and nothing runs on behind their
    back.
    """
    running = asyncio.get_running_loop().run_in_executor(None, function)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        if not running.cancelled():
            running.exception()  # looked at, so that nobody warns of it
        raise


class AsyncTransport(Closable):
    """A channel that has many calls under way at once, but no more than there are slots.

    It belongs to the event loop of its first call.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.address)
        self._settings = settings
        self._metadata = settings.call_metadata()
        self._lookup = Lookup(settings.address)
        self._target = self._lookup.target
        self._credentials = credentials(settings)
        self._slots = Slots(settings.max_in_flight)
        self._channel: grpc.aio.Channel | None = None

    async def send(self, call: Call[ResultT], *, timeout: float | None) -> ResultT:
        """Return the parsed response, after as many attempts as the policy has (see `patience`).

        The timeout of a round begins when there is a slot for the call. Whoever is cancelled while waiting for the
        response cancels the call.

        Args:
            call: what to send.
            timeout: seconds for each round of attempts; None for no limit.

        Raises:
            CallError: what became of the last attempt; a response that cannot be read is a DecodeError.
        """
        if call.patience is None:
            return await self._round(call, timeout)
        with Wait(call.patience) as wait:
            while True:
                try:
                    return await self._round(call, timeout)
                except CallError as error:
                    pause = wait.pause_after(error)
                call.on_failure()
                await asyncio.sleep(pause)

    async def _round(self, call: Call[ResultT], timeout: float | None) -> ResultT:
        async with self._slots.taken(patient=call.patience is not None):
            attempts = Attempts(self._settings.retries, timeout)
            while True:
                try:
                    payload = await self._send_once(call, attempts.left())
                    break
                except CallError as error:
                    if (pause := attempts.pause_after(error)) is None:
                        raise await self._explained(error) from error.__cause__
                call.on_failure()
                await asyncio.sleep(pause)
        read = partial(parsed, call, payload, address=self.address)
        return await in_thread(read) if payload is not None and len(payload) > _LARGE else read()

    async def _send_once(self, call: Call[ResultT], timeout: float | None) -> bytes | None:
        self.check_open(call.model)
        opened = self._open()  # held until the response is there: a channel that nobody holds is closed
        method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = opened.unary_unary(call.method)
        try:
            return await method(call.request, timeout=timeout, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                self._lookup.look_again(failed=True)
            raise call_error(call, error.code(), error.details() or "", address=self.address) from error
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
            options, compression = channel_options(self._settings), COMPRESSION[self._settings.compression]
            if self._credentials is None:
                self._channel = grpc.aio.insecure_channel(self._target, options, compression)
            else:
                self._channel = grpc.aio.secure_channel(self._target, self._credentials, options, compression)
        return self._channel

    async def _explained(self, error: CallError) -> CallError:
        tell = partial(explained, error, tls=self._settings.tls)
        return await in_thread(tell) if error.code is grpc.StatusCode.UNAVAILABLE else error

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
