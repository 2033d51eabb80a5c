"""PredictRequests whose large tensors stay where they lie in the message.

The message class copies the elements of a tensor when it parses them, and again each time that they are looked at, or
makes an object of each. So what is large is taken out before the rest is parsed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from numpy.typing import NDArray
from tensorflow_serving.apis import model_pb2, predict_pb2

from impasto.serving.local.tensors import FIXED_WIDTHS, LARGE, VARINT_TYPES
from impasto.serving.wire import LENGTH, Pieces, UnusualMessageError, decode_varints, fields, nested

_INPUTS: Final = predict_pb2.PredictRequest.DESCRIPTOR.fields_by_name["inputs"].number
_KEY: Final = 1
_VALUE: Final = 2

Elements: TypeAlias = Mapping[int, memoryview | NDArray[Any]]
"""Elements of a tensor by the number of their field in a TensorProto: the bytes of numbers of a fixed width, or numbers
that were written as varints.
"""


@dataclass(frozen=True)
class Request:
    """A PredictRequest.

    Attributes:
        message: the request without the elements in `elements`.
        elements: by the alias of an input, what was taken out of its tensor.
    """

    message: predict_pb2.PredictRequest
    elements: Mapping[str, Elements]

    @property
    def model_spec(self) -> model_pb2.ModelSpec:
        """The message's."""
        return self.message.model_spec


def parse(raw: bytes) -> Request:
    """Parse a PredictRequest; it is the one that the message class would parse.

    Raises:
        google.protobuf.message.DecodeError: the bytes are none.
    """
    if len(raw) >= LARGE:
        try:
            return _split(memoryview(raw))
        except UnusualMessageError:
            pass  # the message class says whether it is a message, and what it means
    return Request(predict_pb2.PredictRequest.FromString(raw), {})


def _split(raw: memoryview) -> Request:
    pieces: Pieces = []
    taken: dict[bytes, Elements] = {}
    entries = 0
    for field in fields(raw):
        is_input = (field.number, field.kind) == (_INPUTS, LENGTH)
        entries += is_input
        if is_input and len(field.value) >= LARGE:
            key, tensor = _entry(field.value)
            rest, elements = _tensor(tensor)
            taken[key.tobytes()] = elements
            pieces += nested(_INPUTS, [*nested(_KEY, [key]), *nested(_VALUE, rest)])
        else:
            pieces.append(field.whole)
    message = predict_pb2.PredictRequest.FromString(b"".join(pieces))
    if len(message.inputs) != entries:
        raise UnusualMessageError("an input occurs twice")
    return Request(message, {key.decode(): elements for key, elements in taken.items()})


def _entry(entry: memoryview) -> tuple[memoryview, memoryview]:
    """Return the key and the value of a map's entry."""
    found = list(fields(entry))
    if [(field.number, field.kind) for field in found] != [(_KEY, LENGTH), (_VALUE, LENGTH)]:
        raise UnusualMessageError("an entry is not of a key and a value")
    return found[0].value, found[1].value


def _tensor(message: memoryview) -> tuple[Pieces, Elements]:
    """Return a TensorProto's other fields, and its elements that are worth taking out."""
    rest: Pieces = []
    elements: dict[int, memoryview | NDArray[Any]] = {}
    seen: set[int] = set()
    for field in fields(message):
        is_elements = field.number in FIXED_WIDTHS or field.number in VARINT_TYPES
        if is_elements and (field.number in seen or field.kind != LENGTH):
            raise UnusualMessageError("elements in several parts")
        seen.add(field.number)
        if not is_elements or len(field.value) < LARGE:
            rest.append(field.whole)
        elif field.number in VARINT_TYPES:
            elements[field.number] = decode_varints(field.value, VARINT_TYPES[field.number])
        elif len(field.value) % FIXED_WIDTHS[field.number]:
            raise UnusualMessageError("a number is cut off")
        else:
            elements[field.number] = field.value
    return rest, elements
