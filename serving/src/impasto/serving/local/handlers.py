"""The gRPC methods: they take bytes, and answer with bytes or a status."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import get_model_metadata_pb2 as metadata_pb2
from tensorflow_serving.apis import get_model_status_pb2 as status_pb2
from tensorflow_serving.apis import model_management_pb2 as management_pb2

from impasto.serving.errors import StatusError, invalid_argument, not_found
from impasto.serving.local import requests
from impasto.serving.local.core import ServerCore
from impasto.serving.local.manager import ModelManager
from impasto.serving.local.predict import predict
from impasto.serving.log import get_logger

_LOG: Final = get_logger("impasto.serving.requests")

_LONGEST_TIMEOUT_MS: Final = 2**31 - 1

_EXAMPLE_METHODS: Final = ("Classify", "Regress", "MultiInference")
"""Methods that take tf.Examples, which no model of Impasto does; they are refused."""

_SIGNATURE_DEF: Final = "signature_def"

Answer = Callable[[Any, grpc.ServicerContext], bytes]


def generic_handlers(
    manager: ModelManager, core: ServerCore, *, as_content: bool, enable_reload: bool = True
) -> list[grpc.GenericRpcHandler]:
    """Return PredictionService and ModelService for the manager's models.

    Args:
        manager: finds the loaded version for each request.
        core: takes a new configuration.
        as_content: write predicted tensors into `tensor_content` rather than into typed fields.
        enable_reload: answer HandleReloadConfigRequest rather than refuse it.
    """

    def answer_predict(request: requests.Request, context: grpc.ServicerContext) -> bytes:
        if not request.message.HasField("model_spec"):
            raise invalid_argument("Missing ModelSpec")
        with manager.use(request.model_spec) as servable:
            return predict(
                servable,
                request.message,
                elements=request.elements,
                timeout_ms=_timeout_ms(context),
                as_content=as_content,
            )

    def answer_reload(request: management_pb2.ReloadConfigRequest, context: grpc.ServicerContext) -> bytes:
        if not enable_reload:
            raise StatusError(
                grpc.StatusCode.PERMISSION_DENIED,
                "HandleReloadConfigRequest is refused: this server was started with --enable_reload=false. "
                "Restart it with another configuration, or without that flag.",
            )
        return reload_config(core, request, is_wanted=context.is_active).SerializeToString()

    return [
        grpc.method_handlers_generic_handler(
            "tensorflow.serving.PredictionService",
            {
                "Predict": _method("Predict", requests.parse, answer_predict),
                "GetModelMetadata": _method(
                    "GetModelMetadata",
                    metadata_pb2.GetModelMetadataRequest.FromString,
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
                    status_pb2.GetModelStatusRequest.FromString,
                    lambda request, _: get_model_status(manager, request).SerializeToString(),
                ),
                "HandleReloadConfigRequest": _method(
                    "HandleReloadConfigRequest",
                    management_pb2.ReloadConfigRequest.FromString,
                    answer_reload,
                ),
            },
        ),
    ]


def get_model_metadata(
    manager: ModelManager, request: metadata_pb2.GetModelMetadataRequest
) -> metadata_pb2.GetModelMetadataResponse:
    """Answer GetModelMetadata: the SignatureDefs of the version that the request names, packed in an `Any`.

    Raises:
        StatusError: there is no field, one other than `signature_def`, or no such servable.
    """
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")
    if not request.metadata_field:
        raise invalid_argument("GetModelMetadataRequest must specify at least one metadata_field")
    for field in request.metadata_field:
        if field != _SIGNATURE_DEF:
            raise invalid_argument(f"Metadata field {field} is not supported")
    signatures = metadata_pb2.SignatureDefMap()
    response = metadata_pb2.GetModelMetadataResponse()
    with manager.use(request.model_spec) as servable:
        for name, signature in servable.signatures.items():
            signatures.signature_def[name].CopyFrom(signature)
        response.model_spec.name = servable.name
        response.model_spec.version.value = servable.version
    response.metadata[_SIGNATURE_DEF].Pack(signatures)
    return response


def get_model_status(
    manager: ModelManager, request: status_pb2.GetModelStatusRequest
) -> status_pb2.GetModelStatusResponse:
    """Answer GetModelStatus: the state of one version, or of all, newest first; a label in the request is ignored.

    Raises:
        StatusError: there is no ModelSpec, or no such model or version.
    """
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")
    spec = request.model_spec
    states = manager.states(spec.name)
    if spec.HasField("version"):
        states = [state for state in states if state.version == spec.version.value]
        if not states:
            raise not_found(f"Could not find version {spec.version.value} of model {spec.name}")
    elif not states:
        raise not_found(f"Could not find any versions of model {spec.name}")
    return status_pb2.GetModelStatusResponse(model_version_status=states)


def reload_config(
    core: ServerCore,
    request: management_pb2.ReloadConfigRequest,
    *,
    is_wanted: Callable[[], bool],
) -> management_pb2.ReloadConfigResponse:
    """Answer HandleReloadConfigRequest: `ServerCore.reload` puts the request's list of models in force.

    Raises:
        StatusError: there is no list of models, the list is refused, or a new model in it does not load.
    """
    if request.config.WhichOneof("config") != "model_config_list":
        raise invalid_argument(
            "ServerModelConfig type not supported by HandleReloadConfigRequest. "
            "Only ModelConfigList is currently supported"
        )
    core.reload(request.config, is_wanted=is_wanted)
    response = management_pb2.ReloadConfigResponse()
    response.status.SetInParent()
    for name in dict.fromkeys(request.metric_names):
        response.metric.add(name=name, int64_value_increase=0)  # there are no metrics, so none increased
    return response


def _method(name: str, parse: Callable[[bytes], Any], answer: Answer) -> grpc.RpcMethodHandler[bytes, bytes]:
    """Make a method of an answer. It parses the bytes itself, so that garbage gets TensorFlow Serving's status."""

    def handle(raw: bytes, context: grpc.ServicerContext) -> bytes:
        started = time.monotonic()
        try:
            request = parse(raw)
        except DecodeError:
            _log(name, None, started=started, code=grpc.StatusCode.INTERNAL, message="no such message")
            context.abort(grpc.StatusCode.INTERNAL, "")
        try:
            response = answer(request, context)
        except StatusError as error:
            _log(name, request, started=started, code=error.code, message=error.message)
            # gRPC's types say text, but its server takes bytes too; a text cut inside a character is not text.
            context.abort(error.code, error.wire_message)  # type: ignore[arg-type]
        except Exception:  # noqa: BLE001  # a fault of this server: gRPC would send the exception's text
            _LOG.exception("%s failed for an unforeseen reason", name)
            context.abort(grpc.StatusCode.INTERNAL, "")
        _log(name, request, started=started, code=grpc.StatusCode.OK)
        return response

    return grpc.unary_unary_rpc_method_handler(handle)


def _unimplemented(name: str) -> grpc.RpcMethodHandler[bytes, bytes]:
    def refuse(_raw: bytes, context: grpc.ServicerContext) -> bytes:
        message = (
            f"{name} is not implemented by Impasto's local server. Use Predict, or a real TensorFlow Serving."
        )
        _log(name, None, started=time.monotonic(), code=grpc.StatusCode.UNIMPLEMENTED, message=message)
        context.abort(grpc.StatusCode.UNIMPLEMENTED, message)

    return grpc.unary_unary_rpc_method_handler(refuse)


def _timeout_ms(context: grpc.ServicerContext) -> int | None:
    """Return the milliseconds until the caller's deadline; None if there is no deadline.

    Raises:
        StatusError: the deadline has passed.
    """
    # Without a deadline gRPC returns an enormous number.
    remaining = context.time_remaining() * 1000
    if remaining > _LONGEST_TIMEOUT_MS:
        return None
    # TensorFlow takes a timeout of 0 for no timeout.
    if remaining <= 0:
        raise StatusError(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
    return max(1, int(remaining))


def _log(method: str, request: Any, *, started: float, code: grpc.StatusCode, message: str = "") -> None:
    """Log a call that has ended, in one line.

    Args:
        method: the gRPC method's name.
        request: the request; None if it did not parse.
        started: the time by `time.monotonic()` when it came in.
        code: the status of its answer.
        message: the message of the status.
    """
    spec = getattr(request, "model_spec", None)  # a reload has none
    model = "-" if spec is None else spec.name or "-"
    elapsed = (time.monotonic() - started) * 1000
    _LOG.info("%s %s %s in %.1f ms %s", method, model, code.name, elapsed, message)
