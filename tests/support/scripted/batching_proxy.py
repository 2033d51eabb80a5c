"""A proxy that makes of any server one that batches: it refuses predictions of different shapes that meet."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
import grpc.aio
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from scripted.client_servers import BATCH_MISMATCH

PREDICT: Final = "/tensorflow.serving.PredictionService/Predict"
WINDOW: Final = 0.005
"""Seconds in which calls meet, as with `batch_timeout_micros { value: 5000 }`."""

_OPTIONS: Final = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.so_reuseport", 0),
]

Shapes = frozenset[tuple[str, tuple[int, ...]]]
Context = grpc.aio.ServicerContext[bytes, bytes]


@dataclass
class Batch:
    """The calls that meet: the shapes of their inputs without the first dimension, and an event for its end."""

    shapes: set[Shapes] = field(default_factory=set)
    mixed: asyncio.Event = field(default_factory=asyncio.Event)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    def join(self, shapes: Shapes) -> None:
        """Add a call."""
        self.shapes.add(shapes)
        if len(self.shapes) > 1:
            self.mixed.set()


class BatchingProxy:
    """A running proxy.

    The first batch stays open until two calls of different shapes are in it, however slow the machine is, so that
    there is always a refusal; later ones close after `WINDOW`.

    Attributes:
        address: where it listens.
        refused: how many predictions it refused.
    """

    def __init__(self, target: str) -> None:
        self.address = ""
        self.refused = 0
        self._target = target
        self._open: dict[tuple[str, str], Batch] = {}

    async def start(self) -> None:
        """Listen on a free port."""
        self._channel = grpc.aio.insecure_channel(self._target, _OPTIONS)
        self._server = grpc.aio.server(handlers=[_AnyMethod(self)], options=_OPTIONS)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()

    async def stop(self) -> None:
        """End what is under way."""
        await self._server.stop(grace=None)
        await self._channel.close()

    async def answer(self, method: str, request: bytes, context: Context) -> bytes:
        """The server's answer, or the refusal of the batch that a prediction is in."""
        if method == PREDICT:
            batch = await self._met(request)
            if len(batch.shapes) > 1:
                self.refused += 1
                await context.abort(grpc.StatusCode.FAILED_PRECONDITION, BATCH_MISMATCH)
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(method)
        try:
            return await call(request, timeout=context.time_remaining())
        except grpc.aio.AioRpcError as error:
            await context.abort(error.code(), error.details() or "")

    async def _met(self, request: bytes) -> Batch:
        """The batch of a prediction, once it is closed."""
        parsed = PredictRequest.FromString(request)
        key = (parsed.model_spec.name, parsed.model_spec.signature_name)
        shapes = frozenset((name, _shape(tensor)) for name, tensor in parsed.inputs.items())
        if (batch := self._open.get(key)) is not None:
            batch.join(shapes)
            await batch.closed.wait()
            return batch
        batch = self._open[key] = Batch()
        batch.join(shapes)
        if (
            self.refused == 0 and shapes
        ):  # those that send nothing, as whoever asks what a model is, never differ
            await batch.mixed.wait()
        await asyncio.sleep(WINDOW)
        del self._open[key]
        batch.closed.set()
        return batch


class _AnyMethod(grpc.GenericRpcHandler):
    def __init__(self, proxy: BatchingProxy) -> None:
        self._proxy = proxy

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        async def handle(request: bytes, context: Context) -> bytes:
            return await self._proxy.answer(details.method, request, context)

        return grpc.unary_unary_rpc_method_handler(handle)


def _shape(tensor: Any) -> tuple[int, ...]:
    return tuple(dim.size for dim in tensor.tensor_shape.dim)[1:]


@contextmanager
def batching_proxy(target: str) -> Iterator[BatchingProxy]:
    """A proxy on a free port before the server at `target`, in an event loop of its own."""
    proxy = BatchingProxy(target)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="batching-proxy")
    thread.start()
    asyncio.run_coroutine_threadsafe(proxy.start(), loop).result(30)
    try:
        yield proxy
    finally:
        asyncio.run_coroutine_threadsafe(proxy.stop(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()
