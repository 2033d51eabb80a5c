"""TensorProto to numpy and back, by the rules of TensorFlow's C++ `Tensor::FromProto` and `AsProtoField`.

`tf.make_ndarray` is stricter in one place (more values than elements) and laxer in another (shapes with unknown sizes),
and `tf.make_tensor_proto` makes a Python object for each element of a typed field.

Three limits are this server's own: the rank is at most numpy's, 64 (32 where a tensor holds strings), rather than 254,
a value is repeated at most 2**24 times, and a caller may set a budget for the bytes that are repeated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.core.framework import tensor_pb2, types_pb2

from impasto.serving.wire import Pieces, encode_varints, nested, varint_blocks

MAX_RANK: Final = (
    64 if int(np.__version__.partition(".")[0]) >= 2 else 32
)  # numpy's own, which it does not export

MAX_RANK_WITH_STRINGS: Final = 32
"""The most dimensions that a tensor of strings may have, fed or fetched. With more, TensorFlow ends the process when it
converts numpy's strings to its own or back."""

_MAX_ELEMENTS: Final = (2**63 - 1) // 16
"""The most elements whose bytes numpy can count, at 16 bytes each."""

_MAX_REPEATED: Final = 2**24
"""The most elements that a typed field may leave to repetition."""

_BYTES_PER_STRING: Final = 32
"""The memory of an element besides its text: numpy's pointer and TensorFlow's own string."""


class TensorParseError(ValueError):
    """The message does not describe a tensor."""


class _TypedField(NamedTuple):
    """The typed field that keeps the elements of a dtype."""

    name: str
    stored: Any
    """numpy's type of the field's own elements."""
    as_bits: Any = None
    """If the field holds bit patterns: numpy's integer type of the same width as the dtype."""


_FIELDS: Final = {
    types_pb2.DT_FLOAT: _TypedField("float_val", np.float32),
    types_pb2.DT_DOUBLE: _TypedField("double_val", np.float64),
    types_pb2.DT_COMPLEX64: _TypedField("scomplex_val", np.float32),
    types_pb2.DT_COMPLEX128: _TypedField("dcomplex_val", np.float64),
    types_pb2.DT_HALF: _TypedField("half_val", np.int32, np.uint16),
    types_pb2.DT_BFLOAT16: _TypedField("half_val", np.int32, np.uint16),
    types_pb2.DT_INT64: _TypedField("int64_val", np.int64),
    types_pb2.DT_UINT32: _TypedField("uint32_val", np.uint32),
    types_pb2.DT_UINT64: _TypedField("uint64_val", np.uint64),
    types_pb2.DT_BOOL: _TypedField("bool_val", np.bool_),
    types_pb2.DT_QINT8: _TypedField("int_val", np.int32, np.int8),
    types_pb2.DT_QUINT8: _TypedField("int_val", np.int32, np.uint8),
    types_pb2.DT_QINT16: _TypedField("int_val", np.int32, np.int16),
    types_pb2.DT_QUINT16: _TypedField("int_val", np.int32, np.uint16),
    types_pb2.DT_QINT32: _TypedField("int_val", np.int32, np.int32),
    **dict.fromkeys(
        (
            types_pb2.DT_INT8,
            types_pb2.DT_INT16,
            types_pb2.DT_INT32,
            types_pb2.DT_INT4,
            types_pb2.DT_UINT8,
            types_pb2.DT_UINT16,
            types_pb2.DT_UINT4,
        ),
        _TypedField("int_val", np.int32),
    ),
}

_NUMBERS: Final = {field.name: field.number for field in tensor_pb2.TensorProto.DESCRIPTOR.fields}
_CONTENT: Final = _NUMBERS["tensor_content"]
_FLOAT8_VAL: Final = _NUMBERS["float8_val"]

FIXED_WIDTHS: Final[Mapping[int, int]] = {
    _CONTENT: 1,
    _FLOAT8_VAL: 1,
    **{
        _NUMBERS[field.name]: np.dtype(field.stored).itemsize
        for field in _FIELDS.values()
        if np.dtype(field.stored).kind == "f"
    },
}
"""The fields of elements that are written as their bytes, by number, with the bytes of a number on the wire."""

VARINT_TYPES: Final[Mapping[int, Any]] = {
    _NUMBERS[field.name]: field.stored
    for field in _FIELDS.values()
    if _NUMBERS[field.name] not in FIXED_WIDTHS
}
"""The fields of elements that are written as varints, by number, with numpy's type of them."""

_ALIGNMENT: Final = 64
"""The bytes at whose multiples TensorFlow takes an array as it lies, rather than copy it."""

LARGE: Final = 1 << 16
"""The bytes of elements from which on a copy of them matters."""

_FLOAT8: Final = frozenset(
    getattr(types_pb2, name)
    for name, _ in types_pb2.DataType.items()
    if name.startswith("DT_FLOAT8") and "REF" not in name
)


def from_proto(
    proto: tensor_pb2.TensorProto,
    *,
    elements: Mapping[int, memoryview | NDArray[Any]] = MappingProxyType({}),
    max_rank: int = MAX_RANK,
    allow: Callable[[int], None] = lambda _size: None,
    is_wanted: bool = True,
) -> NDArray[Any]:
    """Return the tensor that a message describes; strings are bytes in an array of objects.

    As in TensorFlow, `tensor_content` has precedence over the typed fields and must have the exact size; a typed field
    with too few values repeats its last one (zeros if it is empty), and one with too many is cut.

    Args:
        proto: the message.
        elements: those that were taken out of the message, as `requests` describes.
        max_rank: the most dimensions that the tensor may have.
        allow: called with a number of bytes before repetition fills them; it raises TensorParseError to refuse them.
        is_wanted: the tensor has the model's dtype. One that the session will refuse anyway is checked alike, but
            nothing is repeated for it: an empty tensor of its dtype is returned.

    Raises:
        TensorParseError: the dtype is unknown, the shape incomplete or too large, or the content of the wrong size.
    """
    if proto.dtype == types_pb2.DT_STRING:
        max_rank = min(max_rank, MAX_RANK_WITH_STRINGS)
    shape = _shape(proto, max_rank)
    count = math.prod(shape)
    content = elements.get(_CONTENT, proto.tensor_content)
    if proto.dtype == types_pb2.DT_STRING:
        strings = _string_list(bytes(content), count) if len(content) else list(proto.string_val)
        _check_repeated(count - len(strings))
        if not is_wanted:
            return np.empty(0, object)
        last = strings[-1] if strings else b""
        allow((_BYTES_PER_STRING + len(last)) * max(0, count - len(strings)))
        return _string_array(strings, count, last).reshape(shape)
    if proto.dtype not in _FIELDS and proto.dtype not in _FLOAT8:
        raise TensorParseError(f"dtype {proto.dtype} cannot be sent")
    dtype = np.dtype(tf.as_dtype(proto.dtype).as_numpy_dtype)
    if count == 0:
        return np.empty(shape, dtype)
    if len(content):
        if len(content) != count * dtype.itemsize:
            raise TensorParseError("tensor_content has the wrong size")
        if dtype == np.bool_ and np.frombuffer(content, np.uint8).max(initial=0) > 1:
            raise TensorParseError("tensor_content has a byte that is no bool")
        return _of_bytes(content, dtype).reshape(shape)
    values = _typed_values(proto, dtype, elements)
    _check_repeated(count - len(values))
    if not is_wanted:
        return np.empty(0, dtype)
    allow(dtype.itemsize * max(0, count - len(values)))
    return _filled(values, count).reshape(shape)


def to_wire(array: NDArray[Any], *, as_content: bool) -> Pieces:
    """Return an array as the bytes of a TensorProto, not yet joined: its own memory is one of the pieces.

    The message class would make an object of each element of a picture in typed fields, or copy the whole three times.

    Args:
        array: the tensor; bytes in an array of objects for strings.
        as_content: write `tensor_content` rather than the dtype's typed field.
    """
    data_type = tf.as_dtype(array.dtype).as_datatype_enum
    proto = tensor_pb2.TensorProto(dtype=data_type)
    proto.tensor_shape.SetInParent()  # a scalar has one too, without dimensions
    for size in array.shape:
        proto.tensor_shape.dim.add().size = size
    header: bytes = proto.SerializeToString()
    if array.size == 0:
        return [header]
    flat = np.ascontiguousarray(array).reshape(-1)
    if data_type == types_pb2.DT_STRING:
        strings = flat.tolist()
        if not as_content:
            number = _NUMBERS["string_val"]
            return [header, *(piece for string in strings for piece in nested(number, [string]))]
        lengths = np.array([len(string) for string in strings])
        return [header, *nested(_CONTENT, [encode_varints(lengths), *strings])]
    if as_content:
        return [header, *nested(_CONTENT, [_bytes_of(flat)])]
    if data_type in _FLOAT8:
        return [header, *nested(_FLOAT8_VAL, [_bytes_of(flat)])]
    typed = _FIELDS[data_type]
    return [header, *nested(_NUMBERS[typed.name], _packed(flat, typed))]


def _shape(proto: tensor_pb2.TensorProto, max_rank: int) -> tuple[int, ...]:
    # TensorFlow ignores `unknown_rank` here: the dimensions that are given are the shape.
    if len(proto.tensor_shape.dim) > max_rank:
        raise TensorParseError("too many dimensions")
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    if any(size < 0 for size in shape):
        raise TensorParseError("the shape is incomplete")
    # Sizes beside a 0 count too: numpy, like TensorFlow, multiplies them before it reaches the 0.
    if math.prod(size for size in shape if size > 0) > _MAX_ELEMENTS:
        raise TensorParseError("too many elements")
    return shape


def _typed_values(
    proto: tensor_pb2.TensorProto, dtype: np.dtype[Any], elements: Mapping[int, memoryview | NDArray[Any]]
) -> NDArray[Any]:
    if proto.dtype in _FLOAT8:
        return np.frombuffer(elements.get(_FLOAT8_VAL, proto.float8_val), dtype)
    field = _FIELDS[proto.dtype]
    found = elements.get(_NUMBERS[field.name])
    if isinstance(found, memoryview):
        return _of_bytes(found[: len(found) // dtype.itemsize * dtype.itemsize], dtype)
    stored = getattr(proto, field.name)
    values: NDArray[Any] = np.fromiter(stored, field.stored, len(stored)) if found is None else found
    if field.as_bits is not None:
        return values.astype(field.as_bits).view(dtype)
    if dtype.kind == "c":
        return values[: len(values) // 2 * 2].view(dtype)
    return values.astype(dtype, copy=False)


def _of_bytes(data: bytes | memoryview, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the elements in little-endian bytes. Many are copied to where TensorFlow takes them as they are: it would
    copy them twice.
    """
    octets = np.frombuffer(data, np.uint8)
    if octets.size >= LARGE and octets.ctypes.data % _ALIGNMENT:
        room = np.empty(octets.size + _ALIGNMENT, np.uint8)
        start = -room.ctypes.data % _ALIGNMENT
        aligned = room[start : start + octets.size]
        aligned[:] = octets
        octets = aligned
    return octets.view(dtype)


def _filled(values: NDArray[Any], count: int) -> NDArray[Any]:
    if len(values) >= count:
        return values[:count]
    filled = np.zeros(count, values.dtype)
    if len(values):
        filled[: len(values)] = values
        filled[len(values) :] = values[-1]
    return filled


def _check_repeated(count: int) -> None:
    if count > _MAX_REPEATED:
        raise TensorParseError("too many elements are left to repetition")


def _string_array(strings: list[bytes], count: int, last: bytes) -> NDArray[Any]:
    array = np.full(count, last, dtype=object)
    kept = strings[:count]
    array[: len(kept)] = kept
    return array


def _string_list(content: bytes, count: int) -> list[bytes]:
    """Read TensorFlow's packed strings: `count` varint lengths, then the strings themselves."""
    position, lengths = 0, []
    for _ in range(count):
        length, shift = 0, 0
        while True:
            if position >= len(content) or shift > 28:
                raise TensorParseError("tensor_content is cut short")
            octet = content[position]
            position += 1
            length |= (octet & 0x7F) << shift
            shift += 7
            if octet < 0x80:
                break
        lengths.append(length)
    if position + sum(lengths) != len(content):
        raise TensorParseError("tensor_content has the wrong size")
    strings = []
    for length in lengths:
        strings.append(content[position : position + length])
        position += length
    return strings


def _packed(flat: NDArray[Any], typed: _TypedField) -> Pieces:
    """Return the payload of the dtype's typed field."""
    if typed.as_bits is not None:
        flat = flat.view(typed.as_bits)
    if flat.dtype.kind in "fc":
        return [_bytes_of(flat)]
    if flat.dtype == np.bool_:
        return varint_blocks(flat.view(np.uint8))
    if flat.dtype.kind not in "iu":  # the 4-bit integers, which numpy itself does not know
        flat = flat.astype(np.int8)
    return varint_blocks(flat)


def _bytes_of(flat: NDArray[Any]) -> memoryview:
    return flat.view(np.uint8).data
