"""A server whose GPU is small: it refuses pictures with more pixels than it has room for, as TensorFlow does."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass, field
from typing import Any

import grpc
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from scripted.client_servers import prediction, scripted
from scripted.enlarging import describing, picture_of, repeated

OUT_OF_MEMORY = (
    "OOM when allocating tensor with shape[1,64,{},{}] and type float on /job:localhost/replica:0/task:0/device:GPU:0 "
    "by allocator GPU_0_bfc\n\t [[{{{{node while/body/conv/Conv2D}}}}]]\nHint: If you want to see a list of allocated "
    "tensors when OOM happens, add report_tensor_allocations_upon_oom to RunOptions for current allocation info.\n"
)


@dataclass
class SmallServer:
    """A running server.

    Attributes:
        room: the most pixels of a picture that it has the memory for.
        refusals: how many larger ones it still refuses; infinitely many unless told otherwise.
        address: where it listens.
        sizes: height and width of the largest picture of each prediction, in their order.
        refused: the same of those that it refused.
    """

    room: int
    refusals: float = math.inf
    address: str = ""
    sizes: list[tuple[int, int]] = field(default_factory=list)
    refused: list[tuple[int, int]] = field(default_factory=list)

    def check(self, request: PredictRequest, context: grpc.ServicerContext) -> None:
        """Note the picture's size, and refuse it where it is too large."""
        shapes = [[dim.size for dim in tensor.tensor_shape.dim] for tensor in request.inputs.values()]
        size = max(
            ((shape[-3], shape[-2]) for shape in shapes if len(shape) > 2), key=math.prod, default=(0, 0)
        )
        self.sizes.append(size)
        if math.prod(size) > self.room and self.refusals > 0:
            self.refusals -= 1
            self.refused.append(size)
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, OUT_OF_MEMORY.format(*size))


@contextlib.contextmanager
def small_upscaler(room: int, *, refusals: float = math.inf) -> Iterator[SmallServer]:
    """An upscaler that repeats pixels, which is quick and shows each of them that is not where it belongs."""
    small = SmallServer(room, refusals)

    def answer(payload: bytes, context: grpc.ServicerContext) -> bytes:
        request = PredictRequest.FromString(payload)
        small.check(request, context)
        return prediction(image=repeated(picture_of(request)))

    with scripted(describing(answer)) as server:
        small.address = server.address
        yield small


@contextlib.contextmanager
def small_before(
    target: str, room: int, *, refusals: float = math.inf, refuses: Callable[[str], bool] = lambda _: True
) -> Iterator[SmallServer]:
    """A server that lets the one at `target` answer what it has the memory for.

    Args:
        target: where the other one listens.
        room: the most pixels of a picture.
        refusals: how many larger ones it refuses.
        refuses: tells for which signatures it may refuse one.
    """
    small = SmallServer(room, refusals)
    with grpc.insecure_channel(target, [("grpc.max_receive_message_length", -1)]) as channel:

        class Forwarding(grpc.GenericRpcHandler):
            def service(self, details: grpc.HandlerCallDetails) -> Any:
                method = details.method

                def handle(payload: bytes, context: grpc.ServicerContext) -> bytes:
                    if method.endswith("/Predict"):
                        request = PredictRequest.FromString(payload)
                        if refuses(request.model_spec.signature_name):
                            small.check(request, context)
                    try:
                        forward: Any = channel.unary_unary(method)
                        answer: bytes = forward(payload)
                    except grpc.RpcError as error:
                        failed: Any = error
                        context.abort(failed.code(), failed.details())
                        raise AssertionError("abort raises") from error
                    return answer

                return grpc.unary_unary_rpc_method_handler(handle)

        server = grpc.server(
            futures.ThreadPoolExecutor(4),
            handlers=[Forwarding()],
            options=[("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)],
        )
        small.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        try:
            yield small
        finally:
            server.stop(grace=None).wait()
