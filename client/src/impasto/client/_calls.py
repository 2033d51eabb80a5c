"""Calls as values: a method, the request's bytes, and how to read the response. No I/O here.

A sync and an async transport send the same Call; only the awaiting differs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar

from google.protobuf.message import DecodeError as ProtobufDecodeError
from google.protobuf.message import Message
from numpy.typing import NDArray

from impasto.client import tensors
from impasto.client._dtypes import type_name
from impasto.client._inputs import as_array
from impasto.client.errors import DecodeError, InvalidInput
from impasto.client.metadata import ModelMetadata, SignatureInfo, State, TensorInfo, VersionStatus
from impasto.client.signatures import SERVING_DEFAULT
from impasto.client.wire import serving_pb2 as wire

Outputs = dict[str, NDArray[Any]]
Result_co = TypeVar("Result_co", covariant=True)
MessageT = TypeVar("MessageT", bound=Message)

PREDICT: Final = "/tensorflow.serving.PredictionService/Predict"
METADATA: Final = "/tensorflow.serving.PredictionService/GetModelMetadata"
STATUS: Final = "/tensorflow.serving.ModelService/GetModelStatus"

_SIGNATURE_DEF: Final = "signature_def"


@dataclass(frozen=True)
class Call(Generic[Result_co]):
    """One unary call, ready to send.

    Attributes:
        method: the full gRPC method path.
        model: the model's name, for messages; may be empty.
        request: the serialised request.
        parse: reads the serialised response; raises DecodeError.
    """

    method: str
    model: str
    request: bytes
    parse: Callable[[bytes], Result_co]


@dataclass(frozen=True)
class ModelRef:
    """Which model, and which version of it: the newest unless `version` or `label` says otherwise."""

    name: str
    version: int | None = None
    label: str | None = None

    def spec(self, signature: str | None = None) -> wire.ModelSpec:
        """The request's ModelSpec; InvalidInput for an empty name, or a version together with a label."""
        if not self.name:
            raise InvalidInput("model is empty: name the model to call, as `impasto models` lists them")
        if self.version is not None and self.label is not None:
            raise InvalidInput(
                f"version {self.version} and label {self.label!r}: give one of them", model=self.name
            )
        spec = wire.ModelSpec(name=self.name, signature_name=signature or "")
        if self.version is not None:
            spec.version.value = self.version
        if self.label is not None:
            spec.version_label = self.label
        return spec


def predict_call(
    ref: ModelRef,
    inputs: Mapping[str, object],
    *,
    signature: str | None = None,
    outputs: Sequence[str] = (),
) -> Call[Outputs]:
    """A Predict call; `outputs` limits what the server sends back (all if empty)."""
    request = _predict_request(ref, inputs, signature, outputs)
    return Call(PREDICT, ref.name, request, _parse_predict)


def predict_with_version_call(
    ref: ModelRef,
    inputs: Mapping[str, object],
    *,
    signature: str | None = None,
    outputs: Sequence[str] = (),
) -> Call[tuple[int, Outputs]]:
    """As `predict_call`; the answer is the version that answered and its outputs."""
    request = _predict_request(ref, inputs, signature, outputs)
    return Call(PREDICT, ref.name, request, _parse_predict_with_version)


def metadata_call(ref: ModelRef) -> Call[ModelMetadata]:
    """A GetModelMetadata call."""
    request = wire.GetModelMetadataRequest(model_spec=ref.spec(), metadata_field=[_SIGNATURE_DEF])
    return Call(METADATA, ref.name, request.SerializeToString(), _parse_metadata)


def status_call(ref: ModelRef) -> Call[tuple[VersionStatus, ...]]:
    """A GetModelStatus call for every version, or the one that `ref` names."""
    request = wire.GetModelStatusRequest(model_spec=ref.spec())
    return Call(STATUS, ref.name, request.SerializeToString(), _parse_status)


def ping_call() -> Call[object]:
    """A call that any TensorFlow Serving answers at once: the status of no model, which it does not find."""
    return Call(
        STATUS, "", wire.GetModelStatusRequest(model_spec=wire.ModelSpec()).SerializeToString(), _parse_status
    )


def _predict_request(
    ref: ModelRef, inputs: Mapping[str, object], signature: str | None, outputs: Sequence[str]
) -> bytes:
    request = wire.PredictRequest(model_spec=ref.spec(signature), output_filter=outputs)
    for name, value in inputs.items():
        array = as_array(ref.name, signature or SERVING_DEFAULT, name, value)
        request.inputs[name].CopyFrom(tensors.encode(name, array))
    return request.SerializeToString()


def _message(kind: type[MessageT], payload: bytes) -> MessageT:
    try:
        return kind.FromString(payload)
    except ProtobufDecodeError as error:
        raise DecodeError(f"the server's {kind.DESCRIPTOR.name} cannot be parsed: {error}") from error


def _parse_predict(payload: bytes) -> Outputs:
    return _parse_predict_with_version(payload)[1]


def _parse_predict_with_version(payload: bytes) -> tuple[int, Outputs]:
    response = _message(wire.PredictResponse, payload)
    outputs = {name: tensors.decode(name, proto) for name, proto in response.outputs.items()}
    return response.model_spec.version.value, outputs


def _parse_metadata(payload: bytes) -> ModelMetadata:
    response = _message(wire.GetModelMetadataResponse, payload)
    if _SIGNATURE_DEF not in response.metadata:
        raise DecodeError(f"the server's metadata of {response.model_spec.name} carries no {_SIGNATURE_DEF}")
    # The Any names TensorFlow's type, which this process does not know under that name: read its bytes
    # directly.
    signatures = _message(wire.SignatureDefMap, response.metadata[_SIGNATURE_DEF].value)
    return ModelMetadata(
        model=response.model_spec.name,
        version=response.model_spec.version.value,
        signatures=MappingProxyType(
            {
                name: _signature(name, definition)
                for name, definition in sorted(signatures.signature_def.items())
                if not name.startswith("__saved_model_")  # TensorFlow's own, for loading: nobody calls them
            }
        ),
    )


def _signature(name: str, definition: wire.SignatureDef) -> SignatureInfo:
    defaults = {alias: tensors.decode(alias, proto) for alias, proto in definition.defaults.items()}
    return SignatureInfo(
        name,
        inputs=_tensor_infos(definition.inputs, defaults),
        outputs=_tensor_infos(definition.outputs, {}),
    )


def _tensor_infos(infos: Mapping[str, wire.TensorInfo], defaults: Outputs) -> Mapping[str, TensorInfo]:
    return MappingProxyType(
        {
            alias: TensorInfo(
                alias, type_name(info.dtype), _static_shape(info.tensor_shape), defaults.get(alias)
            )
            for alias, info in sorted(infos.items())
        }
    )


def _static_shape(shape: wire.TensorShapeProto) -> tuple[int | None, ...] | None:
    if shape.unknown_rank:
        return None
    return tuple(dim.size if dim.size >= 0 else None for dim in shape.dim)


def _parse_status(payload: bytes) -> tuple[VersionStatus, ...]:
    response = _message(wire.GetModelStatusResponse, payload)
    return tuple(
        VersionStatus(entry.version, _state(entry.state), entry.status.error_message)
        for entry in response.model_version_status
    )


def _state(number: int) -> State:
    return State(number) if number in {state.value for state in State} else State.UNKNOWN
