"""A proxy before a real server that refuses or alters predictions, for what no flag of the server does."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import grpc
import numpy as np
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

PREDICT = "/tensorflow.serving.PredictionService/Predict"

Alter = Callable[[PredictRequest, PredictResponse], None]
"""Changes the response; or raises Refusal."""


class Refusal(Exception):  # noqa: N818 - says what happened, as the client's errors do
    """A status and its words, in place of an answer."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self.code, self.details = code, details


class _AnyMethod(grpc.GenericRpcHandler):
    def __init__(self, channel: grpc.Channel, alter: Alter) -> None:
        self._channel, self._alter = channel, alter

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        def handle(request: bytes, context: grpc.ServicerContext) -> bytes:
            method: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(details.method)
            try:
                answer: bytes = method(request)
                if details.method != PREDICT:
                    return answer
                response = PredictResponse.FromString(answer)
                self._alter(PredictRequest.FromString(request), response)
                altered: bytes = response.SerializeToString()
                return altered
            except Refusal as refusal:
                context.abort(refusal.code, refusal.details)
            except grpc.RpcError as error:
                failed: Any = error
                context.abort(failed.code(), failed.details())
            raise AssertionError("abort raises")

        return grpc.unary_unary_rpc_method_handler(handle)


@contextlib.contextmanager
def altering_proxy(target: str, alter: Alter) -> Iterator[str]:
    """The address of a proxy on a free port before the server at `target`."""
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(target, options) as channel:
        server = grpc.server(
            futures.ThreadPoolExecutor(8),
            handlers=[_AnyMethod(channel, alter)],
            options=[*options, ("grpc.so_reuseport", 0)],
        )
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(grace=None).wait()


def slowed(target: str, *, seconds: float) -> contextlib.AbstractContextManager[str]:
    """The address of a proxy before a server of a long job's model, where each step takes so many seconds more.

    A job of few steps lasts long enough to be stopped in the middle, whatever the machine, and computes little.
    """

    def wait(request: PredictRequest, _: PredictResponse) -> None:
        if "steps" in request.inputs:
            steps = np.frombuffer(request.inputs["steps"].tensor_content, np.int32)
            time.sleep(seconds * int(steps.sum()))

    return altering_proxy(target, wait)
