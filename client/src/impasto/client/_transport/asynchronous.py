"""Send calls over a channel and await their responses."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

import grpc
import grpc.aio

from impasto.client._transport import forks
from impasto.client._transport.calls import Call, Metadata
from impasto.client._transport.channel import COMPRESSION, Closable, Lookup, channel_options, credentials
from impasto.client._transport.failures import call_error, explained, parsed
from impasto.client._transport.observing import Attempt, Chunk, Observer, OnCall
from impasto.client._transport.patience import Attempts, Wait
from impasto.client._transport.slots import Slots
from impasto.client.errors import CallError, WrongEventLoop
from impasto.client.settings import Settings

# Parsing a larger response than this is left to a thread: it takes milliseconds, for which the event loop should not
# stand still.
_LARGE: Final = 1 << 20

ResultT = TypeVar("ResultT")


async def in_thread(function: Callable[[], ResultT]) -> ResultT:
    """Call `function` in a thread, so that the event loop goes on meanwhile.

    It has the context variables of the task. A thread cannot be stopped: a task that is cancelled while it runs waits
    for its end, however often it is cancelled, and nothing runs on behind its back.
    """
    here = contextvars.copy_context()
    running = asyncio.get_running_loop().run_in_executor(None, lambda: here.run(function))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        while not running.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([running])
        if not running.cancelled():
            running.exception()  # looked at, so that nobody warns of it
        raise


@dataclass(eq=False, repr=False)
class _Connection:
    """A channel, and what belongs to the event loop and the process that it is used in."""

    loop: asyncio.AbstractEventLoop
    process: forks.Process
    slots: Slots
    target: str = ""
    channel: grpc.aio.Channel | None = None

    @property
    def is_here(self) -> bool:
        """True if it is of the running event loop and this process."""
        return self.loop is asyncio.get_running_loop() and self.process is forks.process()


class AsyncTransport(Closable):
    """A channel that has many calls under way at once, but no more than there are slots.

    It belongs to the event loop of its first call for as long as that runs. A call in a later loop, as after a second
    asyncio.run, opens another channel there, and so does one in a forked child.

    Args:
        settings: of the connection.
        on_call: told of each call in the event loop.

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
        self._connection: _Connection | None = None
        self._lock = forks.Lock()

    async def send(self, call: Call[ResultT], *, timeout: float | None) -> ResultT:
        """Return the parsed response, after as many attempts as the policy has (see `patience`).

        The timeout of a round begins when there is a slot for the call. Whoever is cancelled while waiting for the
        response cancels the call.

        Args:
            call: what to send.
            timeout: seconds for each round of attempts; None for no limit.

        Raises:
            CallError: what became of the last attempt; a response that cannot be read is a DecodeError.
            WrongEventLoop: the event loop of earlier calls runs, and is another one.
        """
        with self.observer.chunk(call) as chunk:
            if call.patience is None:
                return await self._round(call, chunk, timeout)
            with Wait(call.patience, fits=call.fits) as wait:
                while True:
                    try:
                        return await self._round(call, chunk, timeout)
                    except CallError as error:
                        pause = wait.pause_after(error)
                    call.on_failure()
                    await asyncio.sleep(pause)

    async def _round(self, call: Call[ResultT], chunk: Chunk, timeout: float | None) -> ResultT:
        self.check_open(call.model)
        connection = self._here(call.model)
        async with connection.slots.taken(patient=call.patience is not None):
            attempts = Attempts(self._settings.retries, timeout)
            while True:
                attempt = chunk.attempt()
                try:
                    payload = await self._send_once(call, attempt, connection, attempts.left())
                    break
                except CallError as error:
                    if (pause := attempts.pause_after(error)) is None:
                        raise await self._explained(error) from error.__cause__
                call.on_failure()
                await asyncio.sleep(pause)
        read = partial(parsed, call, payload, address=self.address)
        with attempt:
            answer = await in_thread(read) if payload is not None and len(payload) > _LARGE else read()
        attempt.answered(answer)
        return answer

    async def _send_once(
        self, call: Call[ResultT], attempt: Attempt, connection: _Connection, timeout: float | None
    ) -> bytes | None:
        self.check_open(call.model)
        with attempt:
            payload = await self._answer(call, connection, timeout, (*self._metadata, *attempt.metadata))
        attempt.received(payload)
        return payload

    async def _answer(
        self, call: Call[ResultT], connection: _Connection, timeout: float | None, metadata: Metadata
    ) -> bytes | None:
        # Held until the response is there: a channel that nobody holds is closed.
        opened = self._open(connection)
        method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = opened.unary_unary(call.method)
        try:
            return await method(call.request, timeout=timeout, metadata=metadata)
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

    def _here(self, model: str) -> _Connection:
        """The connection of the running event loop. Raises ForkedProcess and WrongEventLoop."""
        forks.check_usable(model)
        with self._lock:  # event loops are in threads
            known = self._connection
            if known is None or not known.is_here:
                if known is not None and known.process is forks.process() and known.loop.is_running():
                    raise WrongEventLoop(
                        f"this AsyncClient of {self.address} is at work in another event loop, in another thread; make "
                        "one for each event loop, or use a Client, which threads may share",
                        address=self.address,
                        model=model or None,
                    )
                slots = Slots(self._settings.max_in_flight)
                self._connection = known = _Connection(asyncio.get_running_loop(), forks.process(), slots)
            return known

    def _open(self, connection: _Connection) -> grpc.aio.Channel:
        """The channel to where the replicas are now, made within the event loop that it belongs to."""
        self._lookup.look_again()
        if connection.channel is None or connection.target != self._lookup.target:
            connection.target = self._lookup.target
            options, compression = channel_options(self._settings), COMPRESSION[self._settings.compression]
            connection.channel = (
                grpc.aio.insecure_channel(connection.target, options, compression)
                if self._credentials is None
                else grpc.aio.secure_channel(connection.target, self._credentials, options, compression)
            )
            forks.made(connection.channel)
        return connection.channel

    async def _explained(self, error: CallError) -> CallError:
        tell = partial(explained, error, tls=self._settings.tls)
        return await in_thread(tell) if error.code is grpc.StatusCode.UNAVAILABLE else error

    async def close(self) -> None:
        """Drop the connections; calls in flight end with CallAborted."""
        self._closed = True
        connection, self._connection = self._connection, None
        # One of an event loop that is over was dropped with it; one of the parent's is the parent's.
        if connection is not None and connection.is_here and connection.channel is not None:
            await connection.channel.close()


def _is_being_cancelled() -> bool:
    """Return whether somebody cancels the task that asks. Python 3.10 does not know; there the answer is no."""
    if sys.version_info >= (3, 11):
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0
    return False
