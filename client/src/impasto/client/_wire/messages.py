"""The requests and responses of Predict, GetModelMetadata and GetModelStatus.

A request is written with one copy of what is sent, a prediction read with none of what comes back. Fields of a response
may come in any order and more than once, as protobuf allows; those that nobody needs are skipped. The field numbers are
those of tensorflow_serving/apis and tensorflow/core, with which a test compares them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

import grpc

from impasto.client._wire import tensors
from impasto.client._wire.format import (
    LENGTH,
    VARINT,
    Pieces,
    Place,
    WireError,
    delimited,
    fields,
    int32,
    integer,
    map_entry,
    nested,
    number,
    text,
)
from impasto.client._wire.tensor_proto import TensorMessage, type_name
from impasto.client.errors import DecodeError
from impasto.client.model import ModelMetadata, SignatureInfo, State, TensorInfo, VersionStatus
from impasto.client.texts import cut

_SIGNATURE_DEF: Final = "signature_def"
_STATES: Final = {state.value: state for state in State}
_LONGEST_NAME: Final = 200
_MOST_DEFAULTS: Final = 1 << 20
"""Bytes that the defaults of a signature may take by repetition: they are numbers and short lists."""

_MOST_FIELDS: Final = 1 << 18
"""Fields of what a server says about a model: a few for each version, or each tensor of a signature."""

_CODES: Final = {code.value[0]: code.name for code in grpc.StatusCode}


def model_spec(name: bytes, *, version: int | None, label: bytes | None, signature: bytes = b"") -> bytes:
    """The bytes of a ModelSpec. The version may be any of 64 bits: refusing one that is not there is for the server."""
    parts = [delimited(1, name)]
    if version is not None:
        # As protobuf writes it: a number that is 0 is left out.
        parts.append(delimited(2, number(1, version) if version else b""))
    if signature:
        parts.append(delimited(3, signature))
    if label is not None:
        parts.append(delimited(4, label))
    return b"".join(parts)


def predict_request(
    spec: bytes, inputs: Mapping[str, tensors.Array], *, outputs: Sequence[str] = ()
) -> bytes:
    """The bytes of a PredictRequest.

    Args:
        spec: a ModelSpec.
        inputs: see `tensors.encode`.
        outputs: the output_filter.

    Raises:
        InvalidInput: an array cannot be sent, or a name has no UTF-8.
    """
    pieces: Pieces = [delimited(1, spec)]
    for name, array in inputs.items():
        key = delimited(1, tensors.as_utf8("the name of an input", name))
        pieces += nested(2, [key, *nested(2, tensors.encode(name, array))])
    pieces += [delimited(3, tensors.as_utf8("the name of an output", name)) for name in outputs]
    return b"".join(pieces)


def metadata_request(spec: bytes) -> bytes:
    """The bytes of a GetModelMetadataRequest for a model's signatures."""
    return delimited(1, spec) + delimited(2, _SIGNATURE_DEF.encode())


def status_request(spec: bytes) -> bytes:
    """The bytes of a GetModelStatusRequest."""
    return delimited(1, spec)


class Prediction(NamedTuple):
    """A PredictResponse.

    Attributes:
        version: the version of the model that answered; 0 if the response does not say.
        outputs: the arrays by name, perhaps views of the payload.
    """

    version: int
    outputs: dict[str, tensors.Array]


def prediction(payload: bytes, *, wanted: Collection[str] = ()) -> Prediction:
    """Read a PredictResponse.

    Args:
        payload: the response's bytes.
        wanted: names of outputs: the elements of others are not looked at, and left out. If empty, all are wanted.

    Raises:
        DecodeError: protobuf would refuse the bytes, or an output cannot be read (see `tensors.decode`).
    """
    outputs: dict[str, tensors.Array] = {}
    repeats = tensors.Repeats()
    spec: _ModelSpec | None = None
    place = Place()
    try:
        for field_number, kind, value in fields(memoryview(payload), place):
            if (field_number, kind) == (1, LENGTH):
                name, pieces = map_entry(value, place.inside())
                if not wanted or name in wanted:
                    message = TensorMessage.of(pieces, place.inside(2))
                    outputs[name] = tensors.decode(cut(name, _LONGEST_NAME), message, repeats)
            elif (field_number, kind) == (2, LENGTH):
                spec = spec or _ModelSpec()
                spec.merge(value, place.inside())
    except WireError as error:
        raise _unreadable("PredictResponse", error) from error
    return Prediction(0 if spec is None else spec.version, outputs)


def metadata(payload: bytes) -> ModelMetadata:
    """Read a GetModelMetadataResponse. Raises DecodeError."""
    spec, held = _ModelSpec(), dict[str, memoryview]()
    place = Place(_MOST_FIELDS)
    try:
        for field_number, kind, value in fields(memoryview(payload), place):
            if (field_number, kind) == (1, LENGTH):
                spec.merge(value, place.inside())
            elif (field_number, kind) == (2, LENGTH):
                name, pieces = map_entry(value, place.inside())
                held[name] = _any_value(pieces, place.inside(2))
        if _SIGNATURE_DEF not in held:
            raise DecodeError(f"the server's metadata of {spec.name} carries no {_SIGNATURE_DEF}")
        found = dict[str, SignatureInfo]()
        for field_number, kind, value in fields(held[_SIGNATURE_DEF], place):
            if (field_number, kind) == (1, LENGTH):
                name, pieces = map_entry(value, place.inside())
                found[name] = _signature(name, pieces, place.inside(2))
    except WireError as error:
        raise _unreadable("GetModelMetadataResponse", error) from error
    callable_ones = {name: found[name] for name in sorted(found) if not is_internal(name)}
    return ModelMetadata(spec.name, spec.version, MappingProxyType(callable_ones))


def status(payload: bytes) -> tuple[VersionStatus, ...]:
    """Read a GetModelStatusResponse. Raises DecodeError."""
    place = Place(_MOST_FIELDS)
    try:
        return tuple(
            _version_status(value, place.inside())
            for field_number, kind, value in fields(memoryview(payload), place)
            if (field_number, kind) == (1, LENGTH)
        )
    except WireError as error:
        raise _unreadable("GetModelStatusResponse", error) from error


def signature(name: str, payload: bytes) -> SignatureInfo:
    """Read a SignatureDef. Raises DecodeError."""
    try:
        return _signature(name, [memoryview(payload)], Place())
    except WireError as error:
        raise _unreadable("SignatureDef", error) from error


def is_internal(name: str) -> bool:
    """Return whether a signature is TensorFlow's own, for loading: nobody calls it."""
    return name.startswith("__saved_model_")


@dataclass(eq=False, repr=False)
class _ModelSpec:
    """The parts of a ModelSpec that a response tells: the model's name and the version that answered."""

    name: str = ""
    version: int = 0

    def merge(self, message: memoryview, place: Place) -> None:
        """Add what a message, inside of a response, says to what is known."""
        for field_number, kind, value in fields(message, place):
            if kind != LENGTH:
                continue
            if field_number == 1:
                self.name = text(value)
            elif field_number == 2:
                for inner, inner_kind, inner_value in fields(value, place.inside()):
                    if (inner, inner_kind) == (1, VARINT):
                        self.version = integer(inner_value)
            elif field_number == 3:
                text(value)  # the signature, which the caller knows
            elif field_number == 4:
                text(value)
                self.version = 0  # a label takes the version's place


def _any_value(pieces: Sequence[memoryview], place: Place) -> memoryview:
    """The message in a google.protobuf.Any, whose type the caller knows."""
    held = memoryview(b"")
    for piece in pieces:
        for field_number, kind, value in fields(piece, place):
            if (field_number, kind) == (1, LENGTH):
                text(value)
            elif (field_number, kind) == (2, LENGTH):
                held = value
    return held


def _signature(name: str, pieces: Sequence[memoryview], place: Place) -> SignatureInfo:
    inputs, outputs = dict[str, TensorMessage](), dict[str, TensorMessage]()
    defaults = dict[str, tensors.Array]()
    repeats = tensors.Repeats(_MOST_DEFAULTS)
    for piece in pieces:
        for field_number, kind, value in fields(piece, place):
            if kind != LENGTH:
                continue
            if field_number in (1, 2):
                alias, parts = map_entry(value, place.inside())
                (inputs if field_number == 1 else outputs)[alias] = _tensor_info(parts, place.inside(2))
            elif field_number == 3:
                text(value)  # the method's name, which is Predict's
            elif field_number == 4:
                alias, parts = map_entry(value, place.inside())
                defaults[alias] = _default(alias, parts, repeats, place.inside(2))
    return SignatureInfo(name, _tensor_infos(inputs, defaults), _tensor_infos(outputs, {}))


def _default(
    alias: str, pieces: Sequence[memoryview], repeats: tensors.Repeats, place: Place
) -> tensors.Array:
    shown = cut(alias, _LONGEST_NAME)
    try:
        return tensors.decode(shown, TensorMessage.of(pieces, place), repeats)
    except WireError as error:
        raise DecodeError(f"the default of {shown!r} cannot be parsed: {error}") from error


def _tensor_info(pieces: Sequence[memoryview], place: Place) -> TensorMessage:
    """A TensorInfo's dtype and shape. The encodings of sparse and composite tensors are skipped."""
    found = TensorMessage()
    for piece in pieces:
        for field_number, kind, value in fields(piece, place):
            if (field_number, kind) == (1, LENGTH):
                text(value)  # the tensor's name in the graph
            elif (field_number, kind) == (2, VARINT):
                found.dtype = int32(value)
            elif (field_number, kind) == (3, LENGTH):
                found.merge_shape(value, place.inside())
    return found


def _tensor_infos(
    found: Mapping[str, TensorMessage], defaults: Mapping[str, tensors.Array]
) -> Mapping[str, TensorInfo]:
    infos = dict[str, TensorInfo]()
    for alias, info in sorted(found.items()):
        shape = None if info.unknown_rank else tuple(size if size >= 0 else None for size in info.sizes)
        infos[alias] = TensorInfo(alias, type_name(info.dtype), shape, defaults.get(alias))
    return MappingProxyType(infos)


def _version_status(message: memoryview, place: Place) -> VersionStatus:
    version, state, code, words = 0, State.UNKNOWN, 0, ""
    for field_number, kind, value in fields(message, place):
        if (field_number, kind) == (1, VARINT):
            version = integer(value)
        elif (field_number, kind) == (2, VARINT):
            state = _STATES.get(int32(value), State.UNKNOWN)
        elif (field_number, kind) == (3, LENGTH):
            for inner, inner_kind, inner_value in fields(value, place.inside()):
                if (inner, inner_kind) == (1, VARINT):
                    code = int32(inner_value)
                elif (inner, inner_kind) == (2, LENGTH):
                    words = text(inner_value)
    return VersionStatus(version, state, words or (_CODES.get(code, f"code {code}") if code else ""))


def _unreadable(message: str, error: WireError) -> DecodeError:
    return DecodeError(f"the server's {message} cannot be parsed: {error}")
