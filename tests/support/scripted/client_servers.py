"""Real gRPC servers that answer as a test tells them to, for what the local server cannot be made to answer."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from dataclasses import dataclass, field
from typing import Any

import grpc
from numpy.typing import NDArray

from impasto.client._wire import tensors
from impasto.client._wire.format import delimited, nested, number

Answer = Callable[[bytes, grpc.ServicerContext], bytes]

BATCH_MISMATCH = (
    "Tensors with name 'serving_default_image:0' from different tasks have different shapes and padding is turned off. "
    "Set pad_variable_length_inputs to true, or ensure that all tensors with the same name have equal dimensions "
    "starting with the first dim."
)
"""The words of TensorFlow Serving 2.21, with FAILED_PRECONDITION, for each call of a batch whose shapes differ."""

QUEUE_FULL = (
    "The batch scheduling queue to which this task was submitted is full; currently 1 batches enqueued and "
    "max_enqueued_batches is 1"
)
"""Its words, with UNAVAILABLE, for a call beyond the queue of batches."""


@dataclass
class ScriptedServer:
    """A running server; every method is answered by `answer`.

    Attributes:
        address: where it listens.
        methods: the method path of each call so far, retries included.
    """

    answer: Answer
    address: str = ""
    methods: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class _AnyMethod(grpc.GenericRpcHandler):
    def __init__(self, server: ScriptedServer) -> None:
        self._server = server

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        def handle(request: bytes, context: grpc.ServicerContext) -> bytes:
            with self._server.lock:
                self._server.methods.append(details.method)
            return self._server.answer(request, context)

        return grpc.unary_unary_rpc_method_handler(handle)


@contextlib.contextmanager
def scripted(
    answer: Answer,
    *,
    address: str = "127.0.0.1:0",
    credentials: grpc.ServerCredentials | None = None,
    options: Sequence[tuple[str, Any]] = (),
) -> Iterator[ScriptedServer]:
    """A server on a free port, or at `address` (a `unix:` one too), with TLS if it has credentials."""
    state = ScriptedServer(answer)
    server = grpc.server(
        futures.ThreadPoolExecutor(8),
        handlers=[_AnyMethod(state)],
        options=[("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0), *options],
    )
    if credentials is not None:
        port = server.add_secure_port(address, credentials)
    else:
        port = server.add_insecure_port(address)
    state.address = address if address.startswith("unix:") else f"127.0.0.1:{port}"
    server.start()
    try:
        yield state
    finally:
        server.stop(grace=None).wait()


def aborting(code: grpc.StatusCode, details: str = "as the test wants") -> Answer:
    """Ends every call with this status."""

    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        context.abort(code, details)
        raise AssertionError("abort raises")

    return answer


def refusing(response: bytes, *, refusals: int, code: grpc.StatusCode, details: str) -> Answer:
    """Ends the first `refusals` calls with this status, and answers the later ones with `response`."""
    calls = itertools.count()

    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        if next(calls) < refusals:
            context.abort(code, details)
        return response

    return answer


def overloaded(response: bytes, *, refusals: int) -> Answer:
    """Answers as a server that has no thread for the first `refusals` calls."""
    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    return refusing(response, refusals=refusals, code=code, details="Server Threadpool Exhausted")


def batching(response: bytes, *, refusals: int) -> Answer:
    """Answers as a server that batches, where the first `refusals` calls meet others of another size."""
    code = grpc.StatusCode.FAILED_PRECONDITION
    return refusing(response, refusals=refusals, code=code, details=BATCH_MISMATCH)


def prediction(**outputs: NDArray[Any]) -> bytes:
    """The bytes of a PredictResponse."""
    entries = (
        nested(1, [delimited(1, name.encode()), *nested(2, tensors.encode(name, array))])
        for name, array in outputs.items()
    )
    return b"".join(piece for entry in entries for piece in entry)


def metadata(*signatures: str) -> bytes:
    """The bytes of a GetModelMetadataResponse for a model with these signatures, without inputs and outputs."""
    definitions = b"".join(delimited(1, delimited(1, name.encode())) for name in signatures)
    return delimited(2, delimited(1, b"signature_def") + delimited(2, delimited(2, definitions)))


def status(version: int, state: int, error: str = "") -> bytes:
    """The bytes of a GetModelStatusResponse for one version, whose state is a number of the server's."""
    return delimited(1, number(1, version) + number(2, state) + delimited(3, delimited(2, error.encode())))
