"""A real gRPC server on asyncio that counts the calls it has under way, and notices those that are cancelled."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc
import grpc.aio
import numpy as np

from scripted.client_servers import prediction


@dataclass
class CountingServer:
    """A running server; it answers any call with `y`, an array of one zero.

    Attributes:
        seconds: how long it takes for an answer.
        together: no call is answered before so many were under way at once.
        address: where it listens.
        now: calls under way.
        most: the largest number of calls that were under way at once.
        answered: calls answered.
        cancelled: calls that were cancelled.
        arrived: set at each call.
        left: set whenever one ends.
        gathered: set once as many as `together` were under way at once.
    """

    seconds: float
    together: int = 1
    address: str = ""
    now: int = 0
    most: int = 0
    answered: int = 0
    cancelled: int = 0
    arrived: threading.Event = field(default_factory=threading.Event)
    left: threading.Event = field(default_factory=threading.Event)
    gathered: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        self.now += 1
        self.most = max(self.most, self.now)
        self.arrived.set()
        if self.most >= self.together:
            self.gathered.set()
        try:
            await self.gathered.wait()
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        else:
            self.answered += 1
            return prediction(y=np.zeros(1, np.float32))
        finally:
            self.now -= 1
            self.left.set()


class _AnyMethod(grpc.GenericRpcHandler):
    def __init__(self, server: CountingServer) -> None:
        self._server = server

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        return grpc.unary_unary_rpc_method_handler(self._server.answer)


@contextmanager
def counting(seconds: float, *, together: int = 1) -> Iterator[CountingServer]:
    """A server on a free port, in an event loop of its own."""
    state = CountingServer(seconds, together)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="counting-server")
    thread.start()

    async def start() -> grpc.aio.Server:
        server = grpc.aio.server(handlers=[_AnyMethod(state)])
        state.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        await server.start()
        return server

    server = asyncio.run_coroutine_threadsafe(start(), loop).result(30)
    try:
        yield state
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(grace=None), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()
