"""The admission of calls: a request is awaited in a waiting room, then counted against the limit on calls at once.

gRPC for Python gives each call a thread as soon as its headers are there, and that thread waits for the request. A
client that sends half a request keeps it for ever, so a few such calls would freeze the server. Here the threads that
wait are counted apart from those that compute, and when too many wait, the call that has waited longest is cancelled.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any, Final, TypeAlias

import grpc
from google.protobuf.message import DecodeError

_Behaviour: TypeAlias = Callable[[Any, grpc.ServicerContext], Any]

WAITING: Final = 256
"""The most calls whose requests are awaited at once."""

_WAITING_HEALTH: Final = 16
_SPARE_HEALTH: Final = 8

_HEALTH_METHODS: Final = "/grpc.health.v1.Health/"
"""TensorFlow Serving answers health checks from a thread of their own, however busy it is."""


class WaitingRoom:
    """The calls whose requests have not arrived completely.

    Args:
        places: the most calls that wait; one more, and the first of them is cancelled.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._lock = threading.Lock()
        self._waiting: dict[int, grpc.ServicerContext] = {}

    def request(self, requests: Iterator[Any], context: grpc.ServicerContext, method: str) -> Any:
        """Wait for the one request of a call to a method and return it."""
        with self._place(context):
            request = next(requests, None)
        if request is None:
            # The words of gRPC for Python.
            context.abort(grpc.StatusCode.UNIMPLEMENTED, f'"{method}" requires exactly one request message.')
        return request

    @contextlib.contextmanager
    def _place(self, context: grpc.ServicerContext) -> Iterator[None]:
        longest = None
        with self._lock:
            if len(self._waiting) >= self._places:
                longest = self._waiting.pop(next(iter(self._waiting)))
            self._waiting[id(context)] = context
        if longest is not None:
            longest.cancel()
        try:
            yield
        finally:
            with self._lock:
                self._waiting.pop(id(context), None)


class Admission(grpc.ServerInterceptor):
    """An interceptor that awaits requests apart, and refuses calls beyond a limit in TensorFlow Serving's words.

    gRPC's own `maximum_concurrent_rpcs` would refuse with another message. Health checks are not counted, and have
    threads and a waiting room of their own.

    Args:
        threads: `--grpc_max_threads`. One thread waits for the next call, so one call fewer is answered at once,
            and 1 refuses every call.
    """

    def __init__(self, threads: int) -> None:
        self._free = threading.BoundedSemaphore(threads - 1)
        self._room = WaitingRoom(WAITING)
        self._health_room = WaitingRoom(_WAITING_HEALTH)
        self._health_pool = futures.ThreadPoolExecutor(_WAITING_HEALTH + _SPARE_HEALTH, "impasto-health")

    def close(self) -> None:
        """End the threads of the health service; the server must have stopped."""
        self._health_pool.shutdown()

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler[Any, Any] | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Wrap the handler of a call with one request."""
        handler: Any = continuation(handler_call_details)
        if handler is None or handler.request_streaming:
            return handler
        method = handler_call_details.method
        if handler.response_streaming:
            return self._watch(handler, method)
        if method.startswith(_HEALTH_METHODS):
            return self._check(handler, method)
        serializers = (handler.request_deserializer, handler.response_serializer)
        return grpc.stream_unary_rpc_method_handler(self._limited(handler.unary_unary, method), *serializers)

    def _limited(self, behaviour: _Behaviour, method: str) -> Callable[..., Any]:
        def limited(requests: Iterator[Any], context: grpc.ServicerContext) -> Any:
            request = self._room.request(requests, context, method)
            if not self._free.acquire(blocking=False):
                context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "Server Threadpool Exhausted")
            try:
                return behaviour(request, context)
            finally:
                self._free.release()

        return limited

    def _check(self, handler: Any, method: str) -> grpc.RpcMethodHandler[Any, Any]:
        """Wrap the health service's Check."""

        def check(requests: Iterator[bytes], context: grpc.ServicerContext) -> Any:
            return handler.unary_unary(self._health_request(requests, context, handler, method), context)

        return grpc.stream_unary_rpc_method_handler(
            self._on_health_threads(check), None, handler.response_serializer
        )

    def _watch(self, handler: Any, method: str) -> grpc.RpcMethodHandler[Any, Any]:
        """Wrap the health service's Watch, which needs no thread while it waits for a change."""

        def watch(
            requests: Iterator[bytes], context: grpc.ServicerContext, send: Callable[[Any], None]
        ) -> None:
            handler.unary_stream(self._health_request(requests, context, handler, method), context, send)

        watch.experimental_non_blocking = True  # type: ignore[attr-defined]  # gRPC reads it from the function
        return grpc.stream_stream_rpc_method_handler(
            self._on_health_threads(watch), None, handler.response_serializer
        )

    def _health_request(
        self, requests: Iterator[bytes], context: grpc.ServicerContext, handler: Any, method: str
    ) -> Any:
        """Wait for a request and parse it here: gRPC for Python would tell the client of an exception."""
        raw = self._health_room.request(requests, context, method)
        try:
            return handler.request_deserializer(raw)
        except DecodeError:
            # The words of gRPC's C++ service.
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "could not parse request")

    def _on_health_threads(self, behaviour: Any) -> Callable[..., Any]:
        behaviour.experimental_thread_pool = self._health_pool
        wrapped: Callable[..., Any] = behaviour
        return wrapped
