"""numpy arrays to TensorProto and back, without TensorFlow and without a Python object for every element."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from impasto.client._dtypes import BY_NAME, BY_NUMBER, OF_ML_DTYPES, WireType, ml_dtype, type_name
from impasto.client._varint import decode_varints
from impasto.client.errors import DecodeError, InvalidInput
from impasto.client.wire import serving_pb2 as wire

Array = NDArray[Any]

# Protobuf's largest message. Only the splat rule can ask for a larger tensor, and then the answer is damaged.
_MAX_BYTES: Final = 2**31


def encode(name: str, array: Array) -> wire.TensorProto:
    """The TensorProto of an array.

    Args:
        name: the input's name, for messages.
        array: any shape; numbers of numpy or ml_dtypes (bfloat16, ...), bool, or strings (`str` is sent as
            UTF-8, or an object array of `str` and `bytes`). Numbers travel in tensor_content.

    Raises:
        InvalidInput: the dtype has no counterpart, or an object array holds something else than str and
            bytes.
    """
    proto = wire.TensorProto()
    proto.tensor_shape.SetInParent()  # a scalar's shape is there, without dimensions
    for size in array.shape:
        proto.tensor_shape.dim.add().size = size
    if array.dtype.kind in "OSU":
        proto.dtype = wire.DT_STRING
        proto.string_val.extend(_as_bytes(name, item) for item in array.ravel().tolist())
        return proto
    kind = BY_NAME.get(array.dtype.name)
    if kind is None:
        raise InvalidInput(f"input {name!r} has dtype {array.dtype}, which TensorFlow Serving cannot take")
    proto.dtype = kind.number
    proto.tensor_content = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    return proto


def decode(name: str, proto: wire.TensorProto) -> Array:
    """The array of a TensorProto.

    Reads tensor_content and every typed field. Strings come as an object array of `bytes`, quantised types as
    the integers that they hold, and bfloat16, 8-bit floats and 4-bit integers as ml_dtypes' types or, where that
    package is missing, as plain integers with the same bits (uint16 for bfloat16). The result may be a read-only
    view of the message's bytes: copy it to change it.

    Args:
        name: the output's name, for messages.
        proto: a dense tensor of known shape.

    Raises:
        DecodeError: unknown dtype, a negative or unknown dimension, or a number of values that does not fit
            the shape.
    """
    kind = BY_NUMBER.get(proto.dtype)
    if kind is None:
        raise DecodeError(f"output {name!r} has dtype {type_name(proto.dtype)}, which cannot be read")
    shape = _shape(name, proto.tensor_shape)
    count = math.prod(shape)
    values = _content(name, proto, kind, count)
    if values.size != count:
        values = _splat(name, values, kind, count)
    if kind.name in OF_ML_DTYPES:
        values = values.view(ml_dtype(kind.name) or kind.storage)
    return values.reshape(shape)


def _as_bytes(name: str, item: object) -> bytes:
    if isinstance(item, bytes):
        return item
    if isinstance(item, str):
        return item.encode()
    raise InvalidInput(
        f"input {name!r} holds a {type(item).__name__}; an object array may hold only str and bytes"
    )


def _shape(name: str, proto: wire.TensorShapeProto) -> tuple[int, ...]:
    shape = tuple(dim.size for dim in proto.dim)
    if proto.unknown_rank or any(size < 0 for size in shape):
        raise DecodeError(f"output {name!r} has an unknown or negative dimension: {list(shape)}")
    return shape


def _content(name: str, proto: wire.TensorProto, kind: WireType, count: int) -> Array:
    """The tensor's values as a flat array, as many as the message carries."""
    if proto.tensor_content:
        if kind.coding == "bytes":
            return _string_list(name, proto.tensor_content, count)
        if len(proto.tensor_content) != count * kind.storage.itemsize:
            raise DecodeError(
                f"output {name!r}: {len(proto.tensor_content)} bytes of content do not fit "
                f"{count} elements of {kind.name}"
            )
        return np.frombuffer(proto.tensor_content, kind.storage)
    field = getattr(proto, kind.field)
    blobs: Sequence[bytes] = [field] if isinstance(field, bytes) else field  # float8_val is one blob
    if kind.coding == "bytes":
        return _object_array(blobs)
    packed = blobs[0] if len(blobs) == 1 else b"".join(blobs)
    try:
        if kind.coding == "fixed":
            return np.frombuffer(packed, kind.storage)
        return _from_varints(decode_varints(packed), kind)
    except ValueError as error:
        raise DecodeError(f"output {name!r}: {kind.field} is damaged: {error}") from error


def _string_list(name: str, content: bytes, count: int) -> Array:
    """TensorFlow's packed strings: the length of each as a varint, then all of them end to end."""
    ends_of_lengths = np.flatnonzero(np.frombuffer(content, np.uint8) < 0x80)[:count]
    start = int(ends_of_lengths[-1]) + 1 if ends_of_lengths.size else 0
    try:
        lengths = decode_varints(content[:start]).tolist()
    except ValueError as error:
        raise DecodeError(f"output {name!r}: its string lengths are damaged: {error}") from error
    if len(lengths) != count or start + sum(lengths) != len(content):
        raise DecodeError(f"output {name!r}: {len(content)} bytes of content do not fit {count} strings")
    edges = [start, *(start + end for end in accumulate(lengths))]
    return _object_array([content[begin:end] for begin, end in pairwise(edges)])


def _object_array(strings: Sequence[bytes]) -> Array:
    array = np.empty(len(strings), object)
    array[:] = strings
    return array


def _from_varints(values: NDArray[np.unsignedinteger[Any]], kind: WireType) -> Array:
    if kind.storage.kind == "b":
        flags: Array = values != 0
        return flags
    if kind.number in (wire.DT_HALF, wire.DT_BFLOAT16):  # the varint holds the 16 bits, not the value
        bits: Array = values.astype("<u2").view(kind.storage)
        return bits
    # To a narrower type the low bits are kept, as protobuf and TensorFlow do.
    numbers: Array = values.astype(kind.storage, copy=False)
    return numbers


def _splat(name: str, values: Array, kind: WireType, count: int) -> Array:
    """TensorFlow's rule for short fields: the last value fills the rest, or zeros (empty strings) without one."""
    if values.size > count:
        raise DecodeError(f"output {name!r}: {values.size} values for {count} elements")
    if count * kind.storage.itemsize > _MAX_BYTES:
        raise DecodeError(f"output {name!r}: {values.size} values claim to stand for {count} elements")
    full = np.empty(count, values.dtype)
    full[: values.size] = values
    full[values.size :] = values[-1] if values.size else (b"" if kind.coding == "bytes" else 0)
    return full
