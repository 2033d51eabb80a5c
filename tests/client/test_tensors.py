"""Arrays to TensorProto and back, with TensorFlow's make_tensor_proto and make_ndarray as the oracle."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import subprocess
import sys
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from tensorflow.core.framework import tensor_pb2, types_pb2

from impasto.client._wire import tensors
from impasto.client._wire.format import Place, decode_varints
from impasto.client._wire.tensor_proto import TensorMessage
from impasto.client.errors import DecodeError, InvalidInput

Array = NDArray[Any]

# The typed field of each dtype, and how its values are written there.
FIELDS: dict[str, str] = {
    "float32": "float_val",
    "float64": "double_val",
    "int8": "int_val",
    "int16": "int_val",
    "int32": "int_val",
    "uint8": "int_val",
    "uint16": "int_val",
    "int64": "int64_val",
    "uint32": "uint32_val",
    "uint64": "uint64_val",
    "bool": "bool_val",
    "float16": "half_val",
    "bfloat16": "half_val",
    "complex64": "scomplex_val",
    "complex128": "dcomplex_val",
}
NUMPY_DTYPES = sorted(set(FIELDS) - {"bfloat16"})

shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5)
quick = settings(max_examples=60, deadline=None)


@st.composite
def numeric_arrays(draw: st.DrawFn) -> Array:
    dtype = draw(st.sampled_from([*NUMPY_DTYPES, "bfloat16"]))
    if dtype == "bfloat16":
        return draw(hnp.arrays(np.uint16, shapes)).view(ml_dtypes.bfloat16)
    return draw(hnp.arrays(dtype, shapes))


def typed_values(array: Array) -> list[Any]:
    """The array's elements as TensorFlow writes them into the typed field of its dtype."""
    if array.dtype.name in ("float16", "bfloat16"):
        return np.ascontiguousarray(array).view(np.uint16).ravel().astype(int).tolist()
    if array.dtype.kind == "c":
        return [part for item in array.ravel() for part in (item.real.item(), item.imag.item())]
    return array.ravel().tolist()


def official_typed(array: Array, values: list[Any]) -> Any:
    proto = tensor_pb2.TensorProto(dtype=tf.as_dtype(array.dtype).as_datatype_enum)
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    getattr(proto, FIELDS[array.dtype.name]).extend(values)
    return proto


def encoded(array: Array) -> Any:
    """What we write, as the official class reads it."""
    return tensor_pb2.TensorProto.FromString(b"".join(tensors.encode("x", array)))


def decoded(proto: Any, name: str = "x") -> Array:
    """What the official class writes, as we read it."""
    return read(proto.SerializeToString(), name)


def read(data: bytes, name: str = "x") -> Array:
    message = TensorMessage()
    message.merge(memoryview(data), Place())
    return tensors.decode(name, message)


def packed(field: str, values: list[int]) -> bytes:
    """The bytes of a packed field, as the official class writes them."""
    message = TensorMessage()
    message.merge(memoryview(tensor_pb2.TensorProto(**{field: values}).SerializeToString()), Place())
    ((piece,),) = message.values.values()
    return bytes(piece)


def assert_identical(found: Array, wanted: Array) -> None:
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
    if found.dtype == object:
        assert found.tolist() == wanted.tolist()
    else:
        assert found.tobytes() == wanted.tobytes()  # bit for bit: NaN, -0.0


@quick
@given(numeric_arrays())
def test_tensorflow_reads_what_is_encoded(array: Array) -> None:
    assert_identical(tf.make_ndarray(encoded(array)), np.asarray(array))


@quick
@given(numeric_arrays())
def test_what_tensorflow_encodes_is_read(array: Array) -> None:
    proto = tf.make_tensor_proto(array, dtype=tf.as_dtype(array.dtype), shape=array.shape)
    assert_identical(decoded(proto), tf.make_ndarray(proto))


@quick
@given(numeric_arrays())
def test_typed_fields_are_read_as_tensorflow_reads_them(array: Array) -> None:
    proto = official_typed(array, typed_values(array))
    assert_identical(decoded(proto), tf.make_ndarray(proto))


@quick
@given(numeric_arrays(), st.data())
def test_short_typed_fields_are_filled_with_their_last_value_as_in_tensorflow(
    array: Array, data: st.DataObject
) -> None:
    values = typed_values(array)
    per_element = 2 if array.dtype.kind == "c" else 1
    kept = data.draw(st.integers(0, array.size)) * per_element
    proto = official_typed(array, values[:kept])
    assert_identical(decoded(proto), tf.make_ndarray(proto))


@quick
@given(hnp.arrays(object, shapes, elements=st.binary(max_size=5)))
def test_strings_make_the_round_trip_through_tensorflow(array: Array) -> None:
    proto = tf.make_tensor_proto(array, dtype=tf.string, shape=array.shape)
    assert_identical(decoded(proto), array)
    again = tf.make_ndarray(encoded(array))
    assert again.ravel().tolist() == array.ravel().tolist()


@quick
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=5))
def test_strings_packed_into_tensor_content_are_read(strings: list[bytes]) -> None:
    # As TensorFlow Serving sends them with --enable_serialization_as_tensor_content; make_ndarray cannot read these.
    lengths = b"".join(
        bytes([len(string)]) if len(string) < 128 else bytes([0x80 | len(string) & 0x7F, len(string) >> 7])
        for string in strings
    )
    proto = tensor(types_pb2.DT_STRING, [len(strings)], tensor_content=lengths + b"".join(strings))
    assert decoded(proto).tolist() == strings


def test_text_is_sent_as_utf8() -> None:
    assert list(encoded(np.array(["é", "plain"])).string_val) == ["é".encode(), b"plain"]


@quick
@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=40))
def test_varints_of_every_length_are_decoded_like_protobufs(values: list[int]) -> None:
    assert decode_varints(packed("int64_val", values)).astype(np.int64).tolist() == values


@quick
@given(hnp.arrays(np.uint8, st.integers(1, 300)))
def test_pixels_in_varints_are_decoded_without_widening(pixels: NDArray[np.uint8]) -> None:
    found = decode_varints(packed("int_val", pixels.tolist()))
    assert found.dtype == np.uint8
    assert found.tolist() == pixels.tolist()


@pytest.mark.parametrize("bright", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("size", [131_071, 131_072, 131_073, 400_001])
def test_pixels_of_more_than_a_block_are_decoded(size: int, bright: float) -> None:
    rng = np.random.default_rng(size)
    pixels = rng.integers(0, 128, size, np.uint8) | (rng.random(size) < bright).astype(np.uint8) << 7
    assert np.array_equal(decode_varints(packed("int_val", pixels.tolist())), pixels)


@pytest.mark.parametrize("place", [0, 130_000, 300_000])
@pytest.mark.parametrize("odd", [b"\x80\x00", b"\x81\x80\x00", b"\x80\x02", b"\xff\xff\x7f"])
def test_one_longer_value_anywhere_among_pixels_is_kept(place: int, odd: bytes) -> None:
    pixels = b"\x05\xff\x01" * 150_000
    data = pixels[: 3 * (place // 3)] + odd + pixels[3 * (place // 3) :]
    assert decode_varints(data).tolist() == slow_varints(data)


@quick
@given(st.binary(max_size=40))
def test_any_bytes_are_varints_or_a_clear_error(data: bytes) -> None:
    try:
        wanted = slow_varints(data)
    except ValueError:
        with pytest.raises(ValueError, match="varint"):
            decode_varints(data)
    else:
        assert decode_varints(data).astype(np.uint64).tolist() == wanted


def slow_varints(data: bytes) -> list[int]:
    """Varints one byte at a time, as the wire format's documentation describes them."""
    values, value, length = [], 0, 0
    for byte in data:
        if length == 10:
            raise ValueError("too long")
        value |= (byte & 0x7F) << (7 * length)
        length += 1
        if byte < 0x80:
            values.append(value % 2**64)
            value = length = 0
    if length:
        raise ValueError("cut off")
    return values


@pytest.mark.parametrize("dtype", ["float32", "uint8", "float16", "complex64", "bool"])
def test_a_packed_field_that_a_writer_splits_is_joined(dtype: str) -> None:
    array = np.arange(7).astype(dtype)
    per_element = 2 if dtype == "complex64" else 1
    values = typed_values(array)
    whole = official_typed(array, values[: 3 * per_element])
    rest = tensor_pb2.TensorProto(**{FIELDS[dtype]: values[3 * per_element :]})
    assert_identical(read(whole.SerializeToString() + rest.SerializeToString()), array)


@pytest.mark.parametrize("dtype", ["float8_e5m2", "float8_e4m3fn", "int4", "uint4"])
def test_the_small_types_of_ml_dtypes_are_read(dtype: str) -> None:
    array = np.array([0, 1, 2, 3]).astype(getattr(ml_dtypes, dtype))
    proto = tf.make_tensor_proto(array, dtype=tf.as_dtype(array.dtype))
    assert_identical(decoded(proto), array)
    assert_identical(decoded(encoded(array)), array)


@pytest.mark.parametrize(
    ("dtype", "stored"), [("qint8", "int8"), ("quint8", "uint8"), ("qint32", "int32"), ("quint16", "uint16")]
)
def test_quantised_types_are_read_as_their_integers(dtype: str, stored: str) -> None:
    array = np.array([[1, 2], [3, 100]], stored)
    proto = tensor_pb2.TensorProto(dtype=tf.as_dtype(dtype).as_datatype_enum, tensor_content=array.tobytes())
    proto.tensor_shape.dim.add(size=2)
    proto.tensor_shape.dim.add(size=2)
    assert_identical(decoded(proto), array)


def test_bfloat16_is_uint16_where_ml_dtypes_is_missing() -> None:
    script = (
        "import sys; sys.modules['ml_dtypes'] = None\n"
        "from impasto.client._wire import tensors\n"
        "from impasto.client._wire.tensor_proto import TensorMessage\n"
        "message = TensorMessage(dtype=14, sizes=[1], content=memoryview(bytes([0x80, 0x3F])))\n"
        "array = tensors.decode('x', message)\n"
        "assert (array.dtype.name, array.tolist()) == ('uint16', [0x3F80]), array"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("order", ["C", "F"])
def test_any_memory_layout_and_byte_order_is_sent_right(order: Any) -> None:
    array = np.asarray(np.arange(12).reshape(3, 4).astype(">i4")[:, ::2], order=order)
    assert decoded(encoded(array)).tolist() == [[0, 2], [4, 6], [8, 10]]


def tensor(dtype: Any, shape: list[int], **fields: Any) -> Any:
    proto = tensor_pb2.TensorProto(dtype=dtype, **fields)
    for size in shape:
        proto.tensor_shape.dim.add().size = size
    return proto


FLOAT, UINT8, STRING = types_pb2.DT_FLOAT, types_pb2.DT_UINT8, types_pb2.DT_STRING


@pytest.mark.parametrize(
    ("proto", "reason"),
    [
        (tensor(FLOAT, [2], tensor_content=b"1234567"), "7 bytes of content do not fit 2 elements"),
        (tensor(FLOAT, [1], tensor_content=b"12345678"), "8 bytes of content do not fit 1 element"),
        (tensor(FLOAT, [-1], tensor_content=b"1234"), "negative dimension"),
        (tensor(types_pb2.DT_INVALID, [1], tensor_content=b"1234"), "DT_INVALID"),
        (tensor(types_pb2.DT_RESOURCE, [1]), "DT_RESOURCE"),
        (tensor(999, [1]), "DataType 999"),
        (tensor(-1, [1]), "DataType -1"),
        (tensor(FLOAT, [1], float_val=[1, 2]), "2 values for 1 elements"),
        (tensor(STRING, [1], tensor_content=b"\x04123"), "4 bytes of content do not fit 1 strings"),
        (tensor(STRING, [1], tensor_content=b"\x011234"), "5 bytes of content do not fit 1 strings"),
        (tensor(STRING, [3], tensor_content=b"\x01\x01"), "2 bytes of content do not fit 3 strings"),
        (tensor(STRING, [2], tensor_content=b"\x80" * 10 + b"\x01\x01"), "string lengths are damaged"),
        (tensor(STRING, [1], string_val=[b"a", b"b"]), "2 values for 1 elements"),
        (tensor(types_pb2.DT_COMPLEX64, [1], scomplex_val=[1]), "its elements are damaged"),
        (tensor(types_pb2.DT_FLOAT8_E5M2, [1], float8_val=b"ab"), "2 values for 1 elements"),
        (tensor(FLOAT, [2**40], float_val=[1]), "more elements than any message can hold"),
        (tensor(FLOAT, [2**62] * 254), "254 in all\\], more elements than any message can hold"),
        (tensor(FLOAT, [2**27], float_val=[1]), "claim to stand for"),
        (tensor(STRING, [2**26], string_val=[b"a"]), "claim to stand for"),
        (tensor(FLOAT, [0, 2**62, 2**62]), "a shape that numpy cannot take"),
        (tensor(FLOAT, [1] * 100, float_val=[1]), "a shape that numpy cannot take"),
    ],
)
def test_a_damaged_tensor_is_a_decode_error_that_names_it(proto: Any, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason) as caught:
        decoded(proto, "probabilities")
    assert "'probabilities'" in str(caught.value)


def test_a_tensor_of_unknown_rank_is_refused() -> None:
    proto = tensor_pb2.TensorProto(dtype=FLOAT)
    proto.tensor_shape.unknown_rank = True
    with pytest.raises(DecodeError, match="unknown"):
        decoded(proto)


@pytest.mark.parametrize(
    "array",
    [
        np.array([None]),
        np.array(["2020-01-01"], "datetime64[D]"),
        np.zeros(1, "V3"),
        np.array(["\ud800"], object),  # half of a surrogate pair: no character
    ],
)
def test_an_array_without_a_counterpart_on_the_wire_is_refused_by_name(array: Array) -> None:
    with pytest.raises(InvalidInput, match="'image'"):
        tensors.encode("image", array)


@pytest.mark.parametrize("field", ["tensor_content", "typed"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_a_large_decoded_array_is_a_view_of_the_message(dtype: str, field: str) -> None:
    array = np.arange(2000).astype(dtype)
    proto = (
        tf.make_tensor_proto(array)
        if field == "tensor_content"
        else official_typed(array, typed_values(array))
    )
    data = proto.SerializeToString()

    found = read(data)

    assert np.shares_memory(found, np.frombuffer(data, np.uint8))
    assert not found.flags.writeable
    assert_identical(found, array)


def test_a_small_decoded_array_does_not_keep_the_message_alive() -> None:
    data = encoded(np.arange(1000, dtype=np.float32)).SerializeToString()
    assert not np.shares_memory(read(data), np.frombuffer(data, np.uint8))


def test_a_contiguous_arrays_pixels_are_not_copied_before_the_message_is_joined() -> None:
    array = np.zeros((30, 40, 3), np.uint8)
    assert any(
        np.shares_memory(array, np.frombuffer(piece, np.uint8)) for piece in tensors.encode("x", array)
    )
