"""PredictRequest written and PredictResponse read, with one copy of what is sent and none of what comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from impasto.client import tensors
from impasto.client._tensor_message import TensorMessage
from impasto.client._wire_reader import LENGTH, VARINT, WireError, fields, integer, text
from impasto.client.errors import DecodeError
from impasto.client.wire.writer import Pieces, delimited, nested


def request(spec: bytes, inputs: Mapping[str, tensors.Array], *, outputs: Sequence[str] = ()) -> bytes:
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


@dataclass
class Response:
    """A PredictResponse.

    Attributes:
        version: of the model that answered; 0 if it does not say.
        outputs: by name, perhaps views of the payload.
    """

    version: int = 0
    outputs: dict[str, tensors.Array] = field(default_factory=dict)


def response(payload: bytes) -> Response:
    """Read a PredictResponse's bytes.

    Fields may come in any order and more than once, split or packed or not, as protobuf allows.

    Raises:
        DecodeError: protobuf would refuse the bytes, or an output cannot be read (see `tensors.decode`).
    """
    found = Response()
    try:
        for number, kind, value in fields(memoryview(payload)):
            if (number, kind) == (1, LENGTH):
                name, message = _entry(value)
                found.outputs[name] = tensors.decode(name, message)
            elif (number, kind) == (2, LENGTH):
                found.version = _version(value, found.version)
    except WireError as error:
        raise DecodeError(f"the server's PredictResponse cannot be parsed: {error}") from error
    return found


def _entry(entry: memoryview) -> tuple[str, TensorMessage]:
    """An entry of the map of outputs."""
    name, message = "", TensorMessage()
    for number, kind, value in fields(entry, level=1):
        if (number, kind) == (1, LENGTH):
            name = text(value)
        elif (number, kind) == (2, LENGTH):
            message.merge(value, level=2)
    return name, message


def _version(spec: memoryview, version: int) -> int:
    """The version that a ModelSpec names, or `version` if it says nothing of it."""
    for number, kind, value in fields(spec, level=1):
        if (number, kind) == (2, LENGTH):
            for inner, inner_kind, inner_value in fields(value, level=2):
                if (inner, inner_kind) == (1, VARINT):
                    version = integer(inner_value)
        elif (number, kind) == (4, LENGTH):
            text(value)
            version = 0  # a label takes the version's place
        elif number in (1, 3) and kind == LENGTH:
            text(value)  # the model's and the signature's names, which the caller knows
    return version
