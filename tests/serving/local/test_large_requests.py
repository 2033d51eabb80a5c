"""Large tensors are read where they lie in a request, and mean what the message class says that they mean."""

from __future__ import annotations

import random
import sys
import tracemalloc
from types import FrameType
from typing import Any

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2, types_pb2
from tensorflow_serving.apis import predict_pb2

from impasto.client._wire.format import delimited, number
from impasto.serving.local import requests, tensors
from impasto.serving.wire import UnusualMessageError, decode_varints

COUNT = 1 << 17
ALL_DTYPES = (
    *("float32", "float64", "complex64", "complex128", "float16", "bool", "uint8", "int8", "int16"),
    *("uint16", "int32", "uint32", "int64", "uint64"),
)

Read = dict[str, Any]


def values_of(dtype: str) -> Any:
    """Every bit pattern that a short dtype has, and all lengths of varints."""
    if dtype == "bool":
        return np.arange(COUNT) % 3 == 0
    bits = np.random.default_rng(0).integers(0, 2**63, COUNT * 2, np.uint64)
    bits >>= np.arange(COUNT * 2, dtype=np.uint64) % np.uint64(64)
    if np.dtype(dtype).kind in "iu":
        return (bits[:COUNT] - np.uint64(5)).astype(dtype)
    return bits.view(dtype)[:COUNT]


def entry(tensor: bytes, key: bytes = b"x") -> bytes:
    """A request's input."""
    return delimited(2, delimited(1, key) + delimited(2, tensor))


def request_of(tensor: bytes) -> bytes:
    """A PredictRequest with fields on both sides of its input."""
    return delimited(1, delimited(1, b"model")) + entry(tensor) + delimited(3, b"y")


def by_message_class(raw: bytes) -> Read:
    """Read a request by the message class alone."""
    message = predict_pb2.PredictRequest.FromString(raw)
    return {name: array_of(proto, {}) for name, proto in message.inputs.items()}


def by_parse(raw: bytes) -> Read:
    """Read a request as the server does."""
    request = requests.parse(raw)
    return {
        name: array_of(proto, request.elements.get(name, {}))
        for name, proto in request.message.inputs.items()
    }


def array_of(proto: Any, elements: requests.Elements) -> Any:
    """A tensor's dtype, shape and bytes, or why it is refused."""
    try:
        array = tensors.from_proto(proto, elements=elements)
    except tensors.TensorParseError as error:
        return str(error)
    return array.dtype, array.shape, array.tolist() if array.dtype == object else array.tobytes()


def outcome(read: Any, raw: bytes) -> Any:
    """Return what it reads, or that it refuses."""
    try:
        return read(raw)
    except DecodeError:
        return DecodeError


@pytest.mark.parametrize("as_content", [False, True], ids=["typed", "content"])
@pytest.mark.parametrize("dtype", ALL_DTYPES)
def test_many_elements_of_every_dtype_are_taken_out_and_read_bit_for_bit(
    dtype: str, as_content: bool
) -> None:
    values = values_of(dtype)
    raw = request_of(b"".join(tensors.to_wire(values, as_content=as_content)))
    request = requests.parse(raw)
    assert len(request.elements["x"]) == 1
    assert request.message.ByteSize() < 100
    # (Through the message class, some NaNs have other bits, as Python's floats are doubles.)
    assert by_parse(raw) == {"x": (values.dtype, values.shape, values.tobytes())}


def header(dtype: int = types_pb2.DT_FLOAT, size: int = COUNT) -> bytes:
    """A tensor's dtype and shape."""
    shape = tensor_shape_pb2.TensorShapeProto(dim=[tensor_shape_pb2.TensorShapeProto.Dim(size=size)])
    return bytes(tensor_pb2.TensorProto(dtype=dtype, tensor_shape=shape).SerializeToString())


LARGE = np.linspace(0, 1, COUNT, dtype=np.float32).tobytes()
OTHER = np.linspace(1, 2, COUNT, dtype=np.float32).tobytes()
CONTENT = header() + delimited(4, LARGE)
UNUSUAL = {
    "the content twice": request_of(CONTENT + delimited(4, OTHER)),
    "the content and then none": request_of(CONTENT + delimited(4, b"")),
    "values in two parts": request_of(header() + delimited(5, LARGE[:-400]) + delimited(5, LARGE[-400:])),
    "values that are not packed": request_of(
        header(types_pb2.DT_UINT8) + b"".join(number(7, value & 0x7F) for value in range(COUNT))
    ),
    "content and values": request_of(header() + delimited(5, OTHER) + delimited(4, LARGE)),
    "values of another dtype": request_of(header(types_pb2.DT_INT32) + delimited(5, LARGE)),
    "too few values": request_of(header() + delimited(5, LARGE[: 1 << 17])),
    "too many values": request_of(header(size=5) + delimited(5, LARGE)),
    "content of the wrong size": request_of(header() + delimited(4, LARGE[:-4])),
    "content that is no bools": request_of(header(types_pb2.DT_BOOL, len(LARGE)) + delimited(4, LARGE)),
    "a number that is cut off": request_of(header() + delimited(5, LARGE[:-1])),
    "a varint that is cut off": request_of(
        header(types_pb2.DT_INT64) + delimited(10, b"\x05" * COUNT + b"\x80")
    ),
    "a varint that is too long": request_of(
        header(types_pb2.DT_INT64) + delimited(10, b"\x05" * COUNT + b"\x80" * 11 + b"\x01")
    ),
    "a varint of 65 bits": request_of(
        header(types_pb2.DT_INT64) + delimited(10, b"\x05" * (COUNT - 1) + b"\xff" * 9 + b"\x03")
    ),
    "varints that are longer than they need be": request_of(
        header(types_pb2.DT_UINT8) + delimited(7, b"\x85\x80\x00" * COUNT)
    ),
    "complex numbers with half of one": request_of(
        header(types_pb2.DT_COMPLEX64) + delimited(9, LARGE + b"1234")
    ),
    "strings in content": request_of(
        header(types_pb2.DT_STRING, 2) + delimited(4, b"\x80\x80\x08\x00" + b"a" * (1 << 17))
    ),
    "an input twice": request_of(CONTENT) + entry(header() + delimited(4, OTHER)),
    "an input twice, once small": request_of(CONTENT) + entry(header(size=1) + delimited(4, b"1234")),
    "an entry with its value first": delimited(2, delimited(2, CONTENT) + delimited(1, b"x")),
    "an entry with two values": delimited(
        2, delimited(1, b"x") + delimited(2, CONTENT) + delimited(2, delimited(4, OTHER))
    ),
    "an entry without a key": delimited(2, delimited(2, CONTENT)),
    "a key that is not UTF-8": entry(CONTENT, b"\xff"),
    "unknown fields": request_of(CONTENT + delimited(99, b"x")) + number(77, 1),
    "a group": request_of(CONTENT) + b"\xa3\x01\xa4\x01",
    "a group that does not end": request_of(CONTENT) + b"\xa3\x01",
    "an end that is cut off": request_of(CONTENT)[:-1],
    "a tag that is longer than it need be": b"\x92" + b"\x80" * 5 + b"\x00" + entry(CONTENT)[1:],
    "many fields": request_of(CONTENT) + number(77, 1) * 1000,
}


@pytest.mark.parametrize("raw", UNUSUAL.values(), ids=UNUSUAL.keys())
def test_a_request_that_is_written_unusually_means_what_the_message_class_says(raw: bytes) -> None:
    assert outcome(by_parse, raw) == outcome(by_message_class, raw)


def test_a_request_with_bytes_changed_means_what_the_message_class_says() -> None:
    elements = LARGE[: 1 << 16]
    whole = request_of(header(size=1 << 14) + delimited(5, elements)) + entry(header(size=0), b"z")
    begin = whole.index(elements)
    places = [*range(begin), *range(begin + len(elements), len(whole))]
    rng = random.Random(0)
    refused = 0
    for _ in range(500):
        raw = bytearray(whole)
        for _ in range(rng.choice((1, 1, 2, 5))):
            raw[rng.choice(places)] = rng.choice((0, 1, rng.randrange(256), 0x80, 0xFF))
        wanted = outcome(by_message_class, bytes(raw))
        assert outcome(by_parse, bytes(raw)) == wanted, bytes(raw[:begin])
        refused += wanted is DecodeError
    assert 50 < refused < 450


def test_a_varint_without_end_is_not_followed_to_the_end_of_the_request() -> None:
    followed = 0

    def count(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal followed
        followed += event == "line"
        return count

    raw = memoryview(b"\x80" * 300_000 + b"\x00")
    before = sys.gettrace()
    sys.settrace(count)
    try:
        with pytest.raises(UnusualMessageError):
            decode_varints(raw, np.int64)
    finally:
        sys.settrace(before)
    assert followed < 1000


def test_a_state_is_copied_once_into_the_model_and_once_into_the_answer() -> None:
    state = np.zeros((512, 512, 3), np.float32)
    for as_content in (False, True):
        raw = request_of(b"".join(tensors.to_wire(state, as_content=as_content)))
        tracemalloc.start()
        try:
            request = requests.parse(raw)
            array = tensors.from_proto(request.message.inputs["x"], elements=request.elements["x"])
            _, read = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            answer = b"".join(tensors.to_wire(array, as_content=as_content))
            _, written = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert array.ctypes.data % 64 == 0  # so that TensorFlow does not copy it
        assert answer in raw
        assert read < 1.1 * state.nbytes
        assert written - before < 1.1 * state.nbytes
