"""The descriptions of models by their servers, parsed by protobuf; apart, as a prediction does without it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, TypeVar

from google.protobuf.message import DecodeError as ProtobufDecodeError
from google.protobuf.message import Message
from numpy.typing import NDArray

from impasto.client import tensors
from impasto.client._dtypes import type_name
from impasto.client._tensor_message import TensorMessage
from impasto.client._wire_reader import WireError
from impasto.client.errors import DecodeError
from impasto.client.metadata import ModelMetadata, SignatureInfo, State, TensorInfo, VersionStatus
from impasto.client.wire import serving_pb2 as wire

MessageT = TypeVar("MessageT", bound=Message)

_SIGNATURE_DEF: Final = "signature_def"


def metadata(payload: bytes) -> ModelMetadata:
    """Read a GetModelMetadataResponse. Raises DecodeError."""
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
                if not is_internal(name)
            }
        ),
    )


def status(payload: bytes) -> tuple[VersionStatus, ...]:
    """Read a GetModelStatusResponse. Raises DecodeError."""
    response = _message(wire.GetModelStatusResponse, payload)
    return tuple(
        VersionStatus(entry.version, _state(entry.state), entry.status.error_message)
        for entry in response.model_version_status
    )


def signature(name: str, payload: bytes) -> SignatureInfo:
    """Read a SignatureDef. Raises DecodeError."""
    return _signature(name, _message(wire.SignatureDef, payload))


def is_internal(name: str) -> bool:
    """Return whether a signature is TensorFlow's own, for loading: nobody calls it."""
    return name.startswith("__saved_model_")


def _message(kind: type[MessageT], payload: bytes) -> MessageT:
    try:
        return kind.FromString(payload)
    except ProtobufDecodeError as error:
        raise DecodeError(f"the server's {kind.DESCRIPTOR.name} cannot be parsed: {error}") from error


def _signature(name: str, definition: wire.SignatureDef) -> SignatureInfo:
    defaults = {alias: _default(alias, tensor) for alias, tensor in definition.defaults.items()}
    return SignatureInfo(
        name,
        inputs=_tensor_infos(definition.inputs, defaults),
        outputs=_tensor_infos(definition.outputs, {}),
    )


def _default(alias: str, tensor: bytes) -> NDArray[Any]:
    message = TensorMessage()
    try:
        message.merge(memoryview(tensor), level=0)
    except WireError as error:
        raise DecodeError(f"the default of {alias!r} cannot be parsed: {error}") from error
    return tensors.decode(alias, message)


def _tensor_infos(
    infos: Mapping[str, wire.TensorInfo], defaults: Mapping[str, NDArray[Any]]
) -> Mapping[str, TensorInfo]:
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


def _state(number: int) -> State:
    return State(number) if number in {state.value for state in State} else State.UNKNOWN
