"""The gRPC methods: bytes in, bytes or a status out."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    predict_pb2,
)

from impasto.serving.core import ServerCore
from impasto.serving.errors import StatusError, invalid_argument
from impasto.serving.manager import ModelManager
from impasto.serving.metadata import get_model_metadata
from impasto.serving.model_status import get_model_status
from impasto.serving.predict import predict
from impasto.serving.reload import reload_config
from impasto.serving.request_log import log_request

_LONGEST_TIMEOUT_MS: Final = 2**31 - 1

_EXAMPLE_METHODS: Final = ("Classify", "Regress", "MultiInference")
"""Methods that take tf.Examples, which no model of Impasto does; they are refused."""

Answer = Callable[[Any, grpc.ServicerContext], bytes]


def generic_handlers(
    manager: ModelManager, core: ServerCore, *, as_content: bool
) -> list[grpc.GenericRpcHandler]:
    """PredictionService and ModelService over the manager's models.

    Args:
        manager: finds the loaded version for each request.
        core: takes a new configuration.
        as_content: write predicted tensors into `tensor_content` rather than into typed fields.
    """

    def answer_predict(request: predict_pb2.PredictRequest, context: grpc.ServicerContext) -> bytes:
        if not request.HasField("model_spec"):
            raise invalid_argument("Missing ModelSpec")
        with manager.use(request.model_spec) as servable:
            return predict(servable, request, timeout_ms=_timeout_ms(context), as_content=as_content)

    return [
        grpc.method_handlers_generic_handler(
            "tensorflow.serving.PredictionService",
            {
                "Predict": _method("Predict", predict_pb2.PredictRequest, answer_predict),
                "GetModelMetadata": _method(
                    "GetModelMetadata",
                    get_model_metadata_pb2.GetModelMetadataRequest,
                    lambda request, _: get_model_metadata(manager, request).SerializeToString(),
                ),
                **{name: _unimplemented(name) for name in _EXAMPLE_METHODS},
            },
        ),
        grpc.method_handlers_generic_handler(
            "tensorflow.serving.ModelService",
            {
                "GetModelStatus": _method(
                    "GetModelStatus",
                    get_model_status_pb2.GetModelStatusRequest,
                    lambda request, _: get_model_status(manager, request).SerializeToString(),
                ),
                "HandleReloadConfigRequest": _method(
                    "HandleReloadConfigRequest",
                    model_management_pb2.ReloadConfigRequest,
                    lambda request, context: reload_config(
                        core, request, is_wanted=context.is_active
                    ).SerializeToString(),
                ),
            },
        ),
    ]


def _method(name: str, request_type: Any, answer: Answer) -> grpc.RpcMethodHandler[bytes, bytes]:
    """Wraps an answer. The bytes are parsed here, so that garbage gets the status of TensorFlow Serving's."""

    def handle(raw: bytes, context: grpc.ServicerContext) -> bytes:
        started = time.monotonic()
        try:
            request = request_type.FromString(raw)
        except DecodeError:
            log_request(name, None, started=started, code=grpc.StatusCode.INTERNAL, message="no such message")
            context.abort(grpc.StatusCode.INTERNAL, "")
        try:
            response = answer(request, context)
        except StatusError as error:
            log_request(name, request, started=started, code=error.code, message=error.message)
            # gRPC's types say text, but its server takes bytes too, and text cut inside a character is no text.
            context.abort(error.code, error.wire_message)  # type: ignore[arg-type]
        log_request(name, request, started=started, code=grpc.StatusCode.OK)
        return response

    return grpc.unary_unary_rpc_method_handler(handle)


def _unimplemented(name: str) -> grpc.RpcMethodHandler[bytes, bytes]:
    def refuse(_raw: bytes, context: grpc.ServicerContext) -> bytes:
        message = (
            f"{name} is not implemented by Impasto's local server. Use Predict, or a real TensorFlow Serving."
        )
        log_request(name, None, started=time.monotonic(), code=grpc.StatusCode.UNIMPLEMENTED, message=message)
        context.abort(grpc.StatusCode.UNIMPLEMENTED, message)

    return grpc.unary_unary_rpc_method_handler(refuse)


def _timeout_ms(context: grpc.ServicerContext) -> int | None:
    """What is left until the caller's deadline, in milliseconds; None if it set none.

    Raises:
        StatusError: the deadline has passed.
    """
    # Without a deadline gRPC says that the end of time remains.
    remaining = context.time_remaining() * 1000
    if remaining > _LONGEST_TIMEOUT_MS:
        return None
    # TensorFlow takes a timeout of 0 for none.
    if remaining <= 0:
        raise StatusError(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
    return max(1, int(remaining))
