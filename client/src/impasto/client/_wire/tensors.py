"""numpy arrays to TensorProto and back, without TensorFlow and without a Python object for every element."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from impasto.client._wire.format import (
    LENGTH,
    Buffer,
    Pieces,
    Place,
    WireError,
    decode_varints,
    delimited,
    fields,
    map_entry,
    nested,
    number,
)
from impasto.client._wire.tensor_proto import (
    BY_NAME,
    BY_NUMBER,
    DT_STRING,
    HALF_VAL,
    OF_ML_DTYPES,
    TensorMessage,
    WireType,
    ml_dtype,
    type_name,
)
from impasto.client.errors import DecodeError, InvalidInput


def typed_outputs(payload: bytes) -> list[str]:
    """Return the outputs of a PredictResponse whose numbers came in typed fields.

    Strings and single numbers do not count: servers send those so whatever their flags say.

    Raises:
        DecodeError: the response cannot be parsed.
    """
    place = Place()
    try:
        return [
            name
            for field_number, kind, value in fields(memoryview(payload), place)
            if (field_number, kind) == (1, LENGTH)
            for name, pieces in [map_entry(value, place.inside())]
            if _is_typed(TensorMessage.of(pieces, place.inside(2)))
        ]
    except WireError as error:
        raise DecodeError(f"the server's PredictResponse cannot be parsed: {error}") from error


def _is_typed(message: TensorMessage) -> bool:
    return math.prod(message.sizes) > 1 and any(field.coding != "strings" for field in message.values)


Array = NDArray[Any]

# As many elements as protobuf's largest message has bytes. Only the splat rule can ask for more.
_MOST_ELEMENTS: Final = 2**31

# Strings in tensor_content, of which each takes dozens of bytes of memory and of which a message of a megabyte can hold
# a million. (Those in string_val are fields, which are counted.)
_MOST_STRINGS: Final = 1 << 22

# Copying so little costs nothing, and a loss that someone keeps must not keep a picture that came with it.
_SMALL: Final = 4096

_SHOWN_SIZES: Final = 8


class Repeats:
    """The memory that the tensors of one message may take for elements that it does not carry, by the splat rule.

    TensorFlow Serving sends every element, so this is for other servers, whose pictures of one colour are short; and
    against those that would fill the memory.

    Args:
        most_bytes: of all tensors together.
    """

    def __init__(self, most_bytes: int = 1 << 28) -> None:
        self.most_bytes: Final = most_bytes
        self._left = most_bytes

    def take(self, count: int) -> bool:
        """Return whether there is room for so many bytes more; if there is, it is taken."""
        if count > self._left:
            return False
        self._left -= count
        return True


def encode(name: str, array: Array) -> Pieces:
    """The bytes of an array's TensorProto, not yet joined: the elements' own memory is one of the pieces.

    Only an array that is not C-contiguous and little-endian is copied. The pieces are valid while the array is
    not changed.

    Args:
        name: the input's name, for messages.
        array: any shape; numbers of numpy or ml_dtypes (bfloat16, ...), bool, or strings (`str` is sent as
            UTF-8, or an object array of `str` and `bytes`). Numbers travel in tensor_content.

    Raises:
        InvalidInput: the dtype has no counterpart, or an object array holds something else than str and
            bytes, or a string has no UTF-8.
    """
    # A scalar's shape is there, without dimensions. A dimension (2) holds its size (1).
    shape = b"".join(delimited(2, number(1, size)) for size in array.shape)
    if array.dtype.kind in "OSTU":  # T is numpy 2's StringDType
        header = number(1, DT_STRING) + delimited(2, shape)
        strings = (nested(8, [as_utf8(f"input {name!r}", item)]) for item in array.ravel().tolist())
        return [header, *(piece for string in strings for piece in string)]
    kind = BY_NAME.get(array.dtype.name)
    if kind is None:
        raise InvalidInput(
            f"input {name!r} has dtype {array.dtype}, which TensorFlow Serving cannot take; convert it, as with "
            "astype, to what the model's metadata says"
        )
    header = number(1, kind.number) + delimited(2, shape)
    elements = np.asarray(array, array.dtype.newbyteorder("<"), order="C").reshape(-1).view(np.uint8)
    return [header, *nested(4, [elements.data])] if elements.size else [header]


def decode(name: str, message: TensorMessage, repeats: Repeats | None = None) -> Array:
    """The array of a TensorProto.

    Reads tensor_content and every typed field. Strings come as an object array of `bytes`, quantised types as
    the integers that they hold, and bfloat16, 8-bit floats and 4-bit integers as ml_dtypes' types or, where that
    package is missing, as plain integers with the same bits (uint16 for bfloat16).

    More than 4 KiB of elements that the message holds as numpy does (tensor_content, and the typed fields of floats
    and complex numbers) are not copied: the result is a read-only view of the message, which it keeps alive, and
    may lie at an address that is no multiple of the element's size. numpy works with such arrays;
    `np.require(array, requirements="AW")` makes an aligned one that can be written to.

    Args:
        name: the output's name, for messages.
        message: a dense tensor of known shape.
        repeats: the room that is left in the message for elements that it does not carry; None for a whole one.

    Raises:
        DecodeError: unknown dtype, a negative or unknown dimension, or values that are damaged or do not fit the
            shape, or stand for too many elements.
    """
    kind = BY_NUMBER.get(message.dtype)
    if kind is None:
        raise DecodeError(f"output {name!r} has dtype {type_name(message.dtype)}, which cannot be read")
    if message.unknown_rank or min(message.sizes, default=0) < 0:
        raise DecodeError(f"output {name!r} has an unknown or negative dimension: {_shape(message)}")
    count = math.prod(message.sizes)
    if count > _MOST_ELEMENTS:
        raise DecodeError(
            f"output {name!r} has the shape {_shape(message)}, more elements than any message can hold"
        )
    if message.content:
        values = _content(name, message.content, kind, count)
        if message.values:  # which are not taken then, but protobuf refuses a message for damage in any
            _typed(name, message, kind)
    else:
        values = _typed(name, message, kind)
    if values.size != count:
        values = _splat(name, values, kind, count, repeats or Repeats())
    if values.nbytes <= _SMALL:
        values = values.copy()
    if kind.name in OF_ML_DTYPES:
        values = values.view(ml_dtype(kind.name) or kind.storage)
    try:
        return values.reshape(message.sizes)
    except (ValueError, OverflowError) as error:
        raise DecodeError(f"output {name!r} has a shape that numpy cannot take: {error}") from error


def _shape(message: TensorMessage) -> str:
    """The sizes for a message to people: the first few."""
    shown = [str(size) for size in message.sizes[:_SHOWN_SIZES]]
    more = [f"... {len(message.sizes)} in all"] if len(message.sizes) > _SHOWN_SIZES else []
    return f"[{', '.join(shown + more)}]"


def as_utf8(what: str, item: object) -> bytes:
    """A string as it travels. Raises InvalidInput, which begins with `what`, for anything but str and bytes."""
    if isinstance(item, bytes):
        return item
    if not isinstance(item, str):
        raise InvalidInput(f"{what} holds a {type(item).__name__}; only str and bytes can be strings")
    try:
        return item.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(f"{what} holds {item!r}, which is no text that UTF-8 can hold") from error


def _content(name: str, content: memoryview, kind: WireType, count: int) -> Array:
    """The elements in tensor_content, flat."""
    if kind.field.coding == "strings":
        return _string_list(name, content, count)
    if len(content) != count * kind.storage.itemsize:
        raise DecodeError(
            f"output {name!r}: {len(content)} bytes of content do not fit {count} elements of {kind.name}"
        )
    if kind.storage.kind == "b":  # numpy goes astray with a bool that is neither 0 nor 1
        return _from_varints(np.frombuffer(content, np.uint8), kind)
    return np.frombuffer(content, kind.storage)


def _typed(name: str, message: TensorMessage, kind: WireType) -> Array:
    """The elements in the dtype's typed field, flat: as many as the message carries."""
    try:
        # Those of the other types too, as protobuf refuses a message for damage in any.
        varints = {
            field: decode_varints(_joined(pieces))
            for field, pieces in message.values.items()
            if field.coding == "varint"
        }
        if kind.field in varints:
            return _from_varints(varints[kind.field], kind)
        pieces = message.values.get(kind.field, [])
        if kind.field.coding == "strings":
            return _object_array([bytes(piece) for piece in pieces])
        return np.frombuffer(_joined(pieces), kind.storage)
    except ValueError as error:
        raise DecodeError(f"output {name!r}: its elements are damaged: {error}") from error


def _joined(pieces: Sequence[Buffer]) -> Buffer:
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _string_list(name: str, content: memoryview, count: int) -> Array:
    """TensorFlow's packed strings: the length of each as a varint, then all of them end to end."""
    if count > _MOST_STRINGS:
        raise DecodeError(f"output {name!r}: {count} strings; more than {_MOST_STRINGS} are not read")
    ends_of_lengths = np.flatnonzero(np.frombuffer(content, np.uint8) < 0x80)[:count]
    start = int(ends_of_lengths[-1]) + 1 if ends_of_lengths.size else 0
    try:
        lengths = decode_varints(content[:start]).tolist()
    except ValueError as error:
        raise DecodeError(f"output {name!r}: its string lengths are damaged: {error}") from error
    if len(lengths) != count or start + sum(lengths) != len(content):
        raise DecodeError(f"output {name!r}: {len(content)} bytes of content do not fit {count} strings")
    edges = [start, *(start + end for end in accumulate(lengths))]
    return _object_array([bytes(content[begin:end]) for begin, end in pairwise(edges)])


def _object_array(strings: Sequence[bytes]) -> Array:
    array = np.empty(len(strings), object)
    array[:] = strings
    return array


def _from_varints(values: NDArray[np.unsignedinteger[Any]], kind: WireType) -> Array:
    if kind.storage.kind == "b":
        flags: Array = values != 0
        return flags
    if kind.field is HALF_VAL:  # the varint holds the 16 bits, not the value
        bits: Array = values.astype("<u2").view(kind.storage)
        return bits
    # To a narrower type the low bits are kept, as protobuf and TensorFlow do.
    numbers: Array = values.astype(kind.storage, copy=False)
    return numbers


def _splat(name: str, values: Array, kind: WireType, count: int, repeats: Repeats) -> Array:
    """TensorFlow's rule for short fields: the last value fills the rest, or zeros (empty strings) without one."""
    if values.size > count:
        raise DecodeError(f"output {name!r}: {values.size} values for {count} elements")
    if not repeats.take(count * kind.storage.itemsize):
        raise DecodeError(
            f"output {name!r}: {values.size} values claim to stand for {count} elements; a message may leave out "
            f"{repeats.most_bytes >> 20} MiB"
        )
    full = np.empty(count, values.dtype)
    full[: values.size] = values
    full[values.size :] = values[-1] if values.size else (b"" if kind.field.coding == "strings" else 0)
    return full
