"""A limit on calls at once, refused the way TensorFlow Serving's gRPC server refuses."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import grpc


class ConcurrencyLimit(grpc.ServerInterceptor):
    """Refuses unary calls beyond `calls` at once with RESOURCE_EXHAUSTED, `Server Threadpool Exhausted`.

    gRPC's own `maximum_concurrent_rpcs` would refuse with another message.
    """

    def __init__(self, calls: int) -> None:
        self._free = threading.BoundedSemaphore(calls)

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler[Any, Any] | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Wraps the handler of a unary call; streams (health's Watch) hold no thread and are not counted."""
        handler = continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler
        behaviour = handler.unary_unary

        def limited(request: Any, context: grpc.ServicerContext) -> Any:
            if not self._free.acquire(blocking=False):
                context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "Server Threadpool Exhausted")
            try:
                return behaviour(request, context)
            finally:
                self._free.release()

        return grpc.unary_unary_rpc_method_handler(
            limited,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )
