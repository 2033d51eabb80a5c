"""A limit on calls at once, refused the way TensorFlow Serving's gRPC server refuses."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

import grpc

_HEALTH: Final = "/grpc.health.v1.Health/"
"""TensorFlow Serving answers health checks from a thread of their own, however busy it is."""


class ConcurrencyLimit(grpc.ServerInterceptor):
    """Refuses unary calls beyond a limit with RESOURCE_EXHAUSTED, `Server Threadpool Exhausted`.

    gRPC's own `maximum_concurrent_rpcs` would refuse with another message.

    Args:
        threads: as `--grpc_max_threads`. One of them waits for the next call, so one call fewer is answered at
            once, and 1 refuses every call.
    """

    def __init__(self, threads: int) -> None:
        self._free = threading.BoundedSemaphore(threads - 1)

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler[Any, Any] | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Wrap the handler of a unary call that is no health check."""
        handler = continuation(handler_call_details)
        is_health = handler_call_details.method.startswith(_HEALTH)
        if handler is None or handler.unary_unary is None or is_health:
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
