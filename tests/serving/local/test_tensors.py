"""Tensors of every dtype go in and come out unchanged, whichever way they are written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tensorflow.core.framework import tensor_pb2, types_pb2

from impasto.client._wire.format import delimited
from impasto.serving.local import tensors
from impasto.serving.local.tensors import TensorParseError, from_proto
from impasto.serving.wire import encode_varints
from servers.official_stubs import OfficialClient
from toys import toy_models

SHAPES: tuple[tuple[int, ...], ...] = ((), (0,), (5,), (2, 3), (2, 0, 3))


def example(dtype: str, shape: tuple[int, ...]) -> Any:
    """An array with the extremes of the dtype among its values."""
    count = int(np.prod(shape))
    if dtype == "string":
        strings = np.array([b"", b"\x00\xff\x00", "grün".encode(), b"x" * 300, b"a"], object)
        return strings[np.arange(count) % 5].reshape(shape)
    target = np.dtype(tf.as_dtype(dtype).as_numpy_dtype)
    if dtype.startswith("q"):
        plain = example(dtype.removeprefix("q"), shape)
        return plain.view(target).reshape(shape)
    if dtype in ("int4", "uint4"):
        extremes = np.array([0, 1, 7, 3, -8 if dtype == "int4" else 15])
    elif target.kind in "iu":
        info = np.iinfo(target)
        extremes = np.array([info.min, info.max, 0, 1, info.max // 2], target)
    elif dtype == "bool":
        extremes = np.array([True, False, True, True, False])
    elif target.kind == "c":
        extremes = np.array([0, 1j, -1.5 + 2j, 1e30, -3])
    else:
        extremes = np.array([0, -0.5, 1, 1.75, -3])
    return extremes.astype(target)[np.arange(count) % 5].reshape(shape)


def to_wire(array: Any, *, as_content: bool) -> bytes:
    """An array's TensorProto."""
    return b"".join(tensors.to_wire(array, as_content=as_content))


def same(one: Any, other: Any) -> bool:
    """Whether dtype, shape and every bit are the same."""
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    return bool(one.tolist() == other.tolist() if one.dtype == object else one.tobytes() == other.tobytes())


@pytest.mark.parametrize("as_content", [False, True], ids=["typed", "content"])
@pytest.mark.parametrize("dtype", toy_models.ECHO_DTYPES)
def test_every_dtype_and_shape_survives_writing_and_reading(dtype: str, as_content: bool) -> None:
    for shape in SHAPES:
        array = example(dtype, shape)
        proto = tensor_pb2.TensorProto.FromString(to_wire(array, as_content=as_content))
        assert proto.dtype == tf.as_dtype(dtype).as_datatype_enum
        assert same(from_proto(proto), array)


@pytest.mark.parametrize("dtype", toy_models.ECHO_DTYPES)
def test_every_dtype_passes_through_a_model(dtype: str, official: OfficialClient) -> None:
    for shape in SHAPES:
        array = example(dtype, shape)
        proto = tensor_pb2.TensorProto.FromString(to_wire(array, as_content=dtype != "string"))
        response = official.predict({"name": "echo", "signature_name": dtype}, {"x": proto})
        assert same(from_proto(response.outputs["y"]), array)


NUMPY_RANKS = 64 if np.lib.NumpyVersion(np.__version__) >= "2.0.0" else 32

READABLE = [dtype for dtype in toy_models.ECHO_DTYPES if not dtype.startswith("q") and dtype != "complex128"]


@pytest.mark.parametrize("dtype", READABLE)
def test_tensorflows_own_reader_reads_the_typed_fields(dtype: str) -> None:
    for shape in SHAPES:
        array = example(dtype, shape)
        proto = tensor_pb2.TensorProto.FromString(to_wire(array, as_content=False))
        assert same(tf.make_ndarray(proto), array)


def test_a_typed_field_repeats_its_last_value_if_too_short_and_is_cut_if_too_long() -> None:
    def read(shape: list[int], values: list[float]) -> list[float]:
        proto = tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, float_val=values)
        for size in shape:
            proto.tensor_shape.dim.add().size = size
        flat: list[float] = from_proto(proto).reshape(-1).tolist()
        return flat

    assert read([4], [1, 2]) == [1, 2, 2, 2]
    assert read([2, 2], [7]) == [7, 7, 7, 7]
    assert read([2], [1, 2, 3]) == [1, 2]
    assert read([3], []) == [0, 0, 0]
    assert read([], [5]) == [5]


def test_a_scalar_carries_an_empty_shape_as_tensorflow_serving_gives_it(official: OfficialClient) -> None:
    scalars = {"float32": np.float32(2), "bool": np.bool_(True), "string": b"abc"}
    for dtype, value in scalars.items():
        (output,) = official.predict({"name": "echo", "signature_name": dtype}, {"x": value}).outputs.values()
        assert output.HasField("tensor_shape")
        assert list(output.tensor_shape.dim) == []


def test_a_rank_that_is_said_to_be_unknown_is_that_of_the_dimensions(official: OfficialClient) -> None:
    def echoed(*shape: int) -> list[int]:
        proto = tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, float_val=[1, 2])
        proto.tensor_shape.unknown_rank = True
        for size in shape:
            proto.tensor_shape.dim.add().size = size
        response = official.predict({"name": "echo", "signature_name": "float32"}, {"x": proto})
        return [dim.size for dim in response.outputs["y"].tensor_shape.dim]

    assert echoed() == []
    assert echoed(2) == [2]
    assert echoed(1, 2) == [1, 2]


def test_as_many_dimensions_as_numpy_has_are_answered(official: OfficialClient) -> None:
    for dtype in ("float32", "int8", "bool"):
        value = np.ones([1] * NUMPY_RANKS, dtype)
        proto = tensor_pb2.TensorProto.FromString(to_wire(value, as_content=False))
        response = official.predict({"name": "echo", "signature_name": dtype}, {"x": proto})
        assert len(response.outputs["y"].tensor_shape.dim) == NUMPY_RANKS


def test_a_message_of_a_few_bytes_is_no_tensor_of_gigabytes() -> None:
    def reads(dtype: int, *shape: int, **values: Any) -> bool:
        proto = tensor_pb2.TensorProto(dtype=dtype, **values)
        for size in shape:
            proto.tensor_shape.dim.add().size = size
        try:
            return bool(from_proto(proto).shape == shape)
        except TensorParseError:
            return False

    for dtype, ranks, values in (
        (types_pb2.DT_FLOAT, NUMPY_RANKS, {"float_val": [1]}),
        (types_pb2.DT_STRING, 32, {"string_val": [b"a"]}),
    ):
        assert reads(dtype, 2**24 + 1, **values)
        assert not reads(dtype, 2**24 + 2, **values)
        assert not reads(dtype, 2**62, **values)
        assert reads(dtype, *[1] * ranks, **values)
        assert not reads(dtype, *[1] * (ranks + 1), **values)
        assert not reads(dtype, 2**62, 2**62, 0, **values)
        assert reads(dtype, 2**31, 0, **values)
    assert not reads(types_pb2.DT_COMPLEX128, 2**60, 0)


@pytest.mark.parametrize(
    "content",
    [b"", b"\x01", b"\x01\x01", b"\x01\x01ab!", b"\x80", b"\xff\xff\xff\xff\xff\xff\x01"],
    ids=["empty means typed", "one length", "no bytes", "too many bytes", "open varint", "huge length"],
)
def test_packed_strings_of_the_wrong_size_do_not_parse(content: bytes) -> None:
    proto = tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, tensor_content=content)
    proto.tensor_shape.dim.add().size = 2
    if not content:
        assert from_proto(proto).tolist() == [b"", b""]
        return
    with pytest.raises(TensorParseError):
        from_proto(proto)


@given(hnp.arrays(st.sampled_from([np.uint8, np.int32, np.int64, np.uint64]), st.integers(1, 40)))
def test_varints_are_written_as_protocol_buffers_write_them(values: Any) -> None:
    field = {"|u1": "int_val", "<i4": "int_val", "<i8": "int64_val", "<u8": "uint64_val"}[values.dtype.str]
    number = tensor_pb2.TensorProto.DESCRIPTOR.fields_by_name[field].number
    packed = encode_varints(values)
    expected = tensor_pb2.TensorProto(**{field: values.tolist()}).SerializeToString()
    assert delimited(number, packed) == expected


def test_varints_of_a_large_array_are_written_in_order_across_blocks() -> None:
    values = np.arange(200_000, dtype=np.int32) - 70_000
    expected = tensor_pb2.TensorProto(int_val=values.tolist()).SerializeToString()
    assert expected.endswith(encode_varints(values))
