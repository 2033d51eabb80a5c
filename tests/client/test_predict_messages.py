"""PredictRequest and PredictResponse beside the official classes: every dtype, every way to write, and damage."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import random
from typing import Any, Literal

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import message
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import predict_pb2

from impasto.client._transport.calls import predict_call, status_call
from impasto.client._wire import messages, tensors
from impasto.client._wire.format import VARINT, delimited, number, varint
from impasto.client._wire.tensor_proto import BY_NUMBER, WIRE_TYPES
from impasto.client.errors import DecodeError, InvalidInput
from impasto.client.model import Model
from oracles.official_messages import official_class

Array = NDArray[Any]

quick = settings(max_examples=100, deadline=None)
shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
BYTE_ORDERS: tuple[Literal["<", ">"], ...] = ("<", ">")
int64s = st.integers(-(2**63), 2**63 - 1)


@st.composite
def arrays(draw: st.DrawFn) -> Array:
    """Any shape, dtype, memory layout and byte order that can be sent."""
    kind = draw(st.sampled_from([entry for entry in WIRE_TYPES if not entry.name.startswith(("q", "uint4"))]))
    if kind.name == "object":
        return draw(hnp.arrays(object, shapes, elements=st.binary(max_size=4) | names))
    custom = getattr(ml_dtypes, kind.name, None)
    if custom is not None:
        small = draw(hnp.arrays(np.uint8, shapes, elements=st.integers(0, 7)))
        return small.astype(custom)
    array = draw(hnp.arrays(kind.storage.newbyteorder(draw(st.sampled_from(BYTE_ORDERS))), shapes))
    return draw(st.sampled_from([array, array.T, array[..., ::-1] if array.ndim else array]))


def official_tensor(array: Array) -> Any:
    """The TensorProto that protobuf's own class would send."""
    if array.dtype == object:
        strings = [item.encode() if isinstance(item, str) else item for item in array.ravel().tolist()]
        proto = tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, string_val=strings)
    else:
        little = array.astype(array.dtype.newbyteorder("<"))
        proto = tensor_pb2.TensorProto(
            dtype=tf.as_dtype(array.dtype).as_datatype_enum, tensor_content=little.tobytes()
        )
    proto.tensor_shape.SetInParent()
    for size in array.shape:
        proto.tensor_shape.dim.add().size = size
    return proto


@quick
@given(
    name=names.filter(bool),
    signature=st.none() | names.filter(bool),
    version=st.none() | int64s,
    label=st.none() | names,
    inputs=st.dictionaries(names, arrays(), max_size=3),
    outputs=st.lists(names, max_size=3),
)
def test_a_request_is_the_one_that_protobuf_would_write(
    name: str,
    signature: str | None,
    version: int | None,
    label: str | None,
    inputs: dict[str, Array],
    outputs: list[str],
) -> None:
    label = None if version is not None else label
    wanted = predict_pb2.PredictRequest(output_filter=outputs)
    wanted.model_spec.name = name
    wanted.model_spec.signature_name = signature or ""
    if version is not None:
        wanted.model_spec.version.value = version
    if label is not None:
        wanted.model_spec.version_label = label
    for alias, array in inputs.items():
        wanted.inputs[alias].CopyFrom(official_tensor(array))

    call = predict_call(Model(name, version, label), inputs, signature=signature, outputs=outputs)

    assert predict_pb2.PredictRequest.FromString(call.request) == wanted


@pytest.mark.parametrize(
    "named", [{"name": "\ud800"}, {"name": "m", "label": "\ud800"}, {"name": "m", "version": 2**63}]
)
def test_what_no_model_spec_can_hold_is_refused(named: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        Model(**named)


def test_the_status_is_not_asked_by_label_which_servers_ignore() -> None:
    with pytest.raises(InvalidInput, match="label 'stable': the status is asked of all versions"):
        status_call(Model("m", label="stable"))


PredictResponse: Any = official_class(predict_pb2.DESCRIPTOR, "tensorflow.serving.PredictResponse", maps=True)
ResponseOfEntries: Any = official_class(
    predict_pb2.DESCRIPTOR, "tensorflow.serving.PredictResponse", maps=False
)


def oracle(proto: Any) -> Array | None:
    """The array of an official TensorProto, one Python number at a time; None if it has none."""
    kind = BY_NUMBER.get(proto.dtype)
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    if kind is None or proto.tensor_shape.unknown_rank or any(size < 0 for size in shape) or len(shape) > 32:
        return None
    count = int(np.prod([float(size) for size in shape]))
    if count > 10**6:
        return None
    values = flat_oracle(proto, kind, count)
    if values is None or len(values) > count:
        return None
    filler = b"" if kind.name == "object" else np.zeros((), values.dtype)[()]
    last = values[-1] if len(values) else filler
    full = np.empty(count, values.dtype)
    full[:] = [*values, *[last] * (count - len(values))]
    return full.reshape(shape)


def flat_oracle(proto: Any, kind: Any, count: int) -> Array | None:
    dtype = np.dtype(getattr(ml_dtypes, kind.name, kind.storage))
    if kind.name == "object":
        if proto.tensor_content:
            return None  # the official classes have no reader for these; test_tensors has
        values = np.empty(len(proto.string_val), object)
        values[:] = proto.string_val
        return values
    if proto.tensor_content:
        whole = len(proto.tensor_content) == count * dtype.itemsize
        return np.frombuffer(proto.tensor_content, dtype) if whole else None
    stored = getattr(proto, kind.field.name)
    if kind.field.name == "float8_val":
        return np.frombuffer(stored, dtype)
    if dtype.kind == "c":
        parts = np.array(stored, kind.storage.char.replace("F", "f").replace("D", "d"))
        return parts.view(dtype) if len(parts) % 2 == 0 else None
    if kind.field.name == "half_val":
        return np.array([value % 2**16 for value in stored], "<u2").view(dtype)
    if dtype.kind == "f":
        return np.array(stored, dtype)
    if dtype.kind == "b":
        return np.array(stored, bool)
    low = np.array([value % 2 ** (8 * kind.storage.itemsize) for value in stored], np.uint64)
    return low.astype(kind.storage).astype(dtype)


def assert_same(found: messages.Prediction, official: Any) -> None:
    assert found.version == official.model_spec.version.value
    protos = {entry.key: entry.value for entry in official.outputs}
    assert set(found.outputs) == set(protos)
    for name, array in found.outputs.items():
        proto = protos[name]
        if proto.dtype == types_pb2.DT_STRING and proto.tensor_content:
            continue
        wanted = oracle(proto)
        if wanted is None:
            assert array.size > 10**6, f"{name!r} should not be readable"
            continue
        assert (array.dtype, array.shape) == (wanted.dtype, wanted.shape)
        # The upper half of a byte says nothing in a 4-bit type.
        if array.dtype == object or "int4" in array.dtype.name:
            assert array.tolist() == wanted.tolist()
        else:
            assert array.tobytes() == wanted.tobytes()


TYPED = {
    "float_val": st.floats(width=32),
    "double_val": st.floats(),
    "scomplex_val": st.floats(width=32),
    "dcomplex_val": st.floats(),
    "int_val": st.integers(-(2**31), 2**31 - 1) | st.integers(0, 255),
    "int64_val": int64s,
    "bool_val": st.booleans(),
    "half_val": st.integers(0, 2**16 - 1),
    "uint32_val": st.integers(0, 2**32 - 1),
    "uint64_val": st.integers(0, 2**64 - 1),
    "string_val": st.binary(max_size=4),
}


@st.composite
def typed_tensors(draw: st.DrawFn) -> Any:
    """A tensor of any dtype in its typed field, perhaps shorter than its shape."""
    kind = draw(st.sampled_from(WIRE_TYPES))
    shape = draw(shapes)
    proto = PredictResponse().outputs["x"]
    proto.dtype = kind.number
    for size in shape:
        proto.tensor_shape.dim.add().size = size
    per_element = 2 if kind.storage.kind == "c" else 1
    most = int(np.prod(shape)) * per_element
    if kind.field.name == "float8_val":
        proto.float8_val = draw(st.binary(max_size=most))
        return proto
    values = draw(st.lists(TYPED[kind.field.name], max_size=most))
    getattr(proto, kind.field.name).extend(values[: len(values) // per_element * per_element])
    return proto


@st.composite
def responses(draw: st.DrawFn) -> Any:
    response = PredictResponse()
    response.model_spec.name = draw(names)
    response.model_spec.version.value = draw(int64s)
    response.model_spec.signature_name = draw(names)
    for name, tensor in draw(st.dictionaries(names, typed_tensors() | arrays(), max_size=3)).items():
        proto = official_tensor(tensor) if isinstance(tensor, np.ndarray) else tensor
        response.outputs[name].MergeFromString(proto.SerializeToString())
    return response


@quick
@given(responses())
def test_a_response_is_read_as_protobuf_reads_it(response: Any) -> None:
    payload = response.SerializeToString()
    assert_same(messages.prediction(payload), ResponseOfEntries.FromString(payload))


# Writers that are not protobuf's: fields in other orders, split, repeated, not packed, written longer.


def long_varint(value: int, extra: int) -> bytes:
    """A varint of `extra` bytes more than need be."""
    short = varint(value)
    return short if not extra else bytes([*(b | 0x80 for b in short), *[0x80] * (extra - 1), 0])


@st.composite
def rewritten(draw: st.DrawFn, proto: Any) -> bytes:
    """A TensorProto in pieces that protobuf merges to the same, in any order that keeps repeated fields in order."""
    pieces: list[list[bytes]] = []
    extra = st.integers(0, 2)
    for field, value in proto.ListFields():
        if field.name == "tensor_shape":
            dims = [delimited(2, number(1, dim.size) + delimited(2, b"n")) for dim in value.dim]
            pieces.append([delimited(2, dim) for dim in dims] or [delimited(2, b"")])
        elif field.name in ("string_val", "float8_val", "tensor_content"):
            pieces.append(
                [delimited(field.number, item) for item in ([value] if isinstance(value, bytes) else value)]
            )
        elif field.name == "dtype":
            wrong = draw(st.sampled_from([b"", number(1, 7)]))
            pieces.append([wrong, varint(1 << 3) + long_varint(value, draw(extra))])
        else:
            pieces.append([element for item in value for element in [draw(repeated(field, item))]])
    unknown = [
        number(100, 5),
        delimited(101, b"abc"),
        b"\x95\x06abcd",
        b"\x91\x06abcdefgh",
        b"\xa3\x06\x08\x01\xa4\x06",
    ]
    pieces.append(draw(st.lists(st.sampled_from(unknown), max_size=3)))
    order = draw(st.permutations([i for i, group in enumerate(pieces) for _ in group]))
    left = [iter(group) for group in pieces]
    return b"".join(next(left[i]) for i in order)


@st.composite
def repeated(draw: st.DrawFn, field: Any, item: Any) -> bytes:
    """One element with a tag of its own, or a packed run of one."""
    one = tensor_pb2.TensorProto(**{field.name: [item]}).SerializeToString()
    if draw(st.booleans()):
        return one
    element = one[2 if field.number < 16 else 3 :]  # without the tag and the length, which is below 128
    wire_type = {"float": 5, "double": 1}.get(field.name.split("_")[0].replace("scomplex", "float"), VARINT)
    if field.name == "dcomplex_val":
        wire_type = 1
    return varint(field.number << 3 | wire_type) + element


@quick
@given(typed_tensors(), st.data())
def test_a_tensor_is_read_however_its_fields_are_split_packed_and_ordered(
    proto: Any, data: st.DataObject
) -> None:
    tensor = data.draw(rewritten(proto))
    split = data.draw(st.sampled_from([delimited(2, tensor), delimited(2, b"") + delimited(2, tensor)]))
    spec = delimited(2, number(1, 9)) + data.draw(
        st.sampled_from([b"", delimited(4, b"x"), delimited(2, b"")])
    )
    payload = delimited(1, split + delimited(1, b"k")) + delimited(2, spec) + delimited(2, delimited(1, b"m"))

    assert oracle(PredictResponse.FromString(payload).outputs["k"]) is not None
    assert_same(messages.prediction(payload), ResponseOfEntries.FromString(payload))


def test_the_last_of_two_outputs_of_one_name_wins() -> None:
    first, second = (
        delimited(1, delimited(1, b"x") + delimited(2, b"".join(tensors.encode("x", np.array(value)))))
        for value in (1.0, 2)
    )
    assert messages.prediction(first + second).outputs["x"].tolist() == 2
    assert messages.prediction(second + first).outputs["x"].tolist() == 1.0


def test_a_million_elements_with_a_tag_each_are_read() -> None:
    element = np.dtype([("tag", "u1"), ("value", "<f4")])
    unpacked = np.zeros(1000 * 1000, element)
    unpacked["tag"] = 5 << 3 | 5
    unpacked["value"] = np.arange(1e6)
    tensor = number(1, 1) + delimited(2, delimited(2, number(1, 10**6))) + unpacked.tobytes()
    found = messages.prediction(delimited(1, delimited(1, b"x") + delimited(2, tensor))).outputs["x"]
    assert np.array_equal(found, unpacked["value"])


# Damage.


def judged(payload: bytes) -> bool:
    """Whether the payload can be read; fails where protobuf and the client disagree."""
    try:
        PredictResponse.FromString(payload)
        official = ResponseOfEntries.FromString(payload)
    except message.DecodeError:
        with pytest.raises(DecodeError):
            messages.prediction(payload)
        return False
    try:
        found = messages.prediction(payload)
    except DecodeError as error:
        if "cannot be parsed" in str(error) or "damaged" in str(error):
            # Protobuf takes it, so only a tensor's own content may be at fault.
            assert "string lengths" in str(error) or "element size" in str(error), error
        assert any(
            oracle(entry.value) is None or 0 in [dim.size for dim in entry.value.tensor_shape.dim]
            for entry in official.outputs
        ), error
        return False
    assert_same(found, official)
    return True


EDGES = {
    "a tag of 5 bytes": (b"\xa0\x86\x80\x80\x00\x01", True),
    "a tag of 6 bytes": (b"\xa0\x86\x80\x80\x80\x00\x01", False),
    "the largest field number": (b"\xf8\xff\xff\xff\x0f\x01", True),
    "a tag of 33 bits": (b"\xf8\xff\xff\xff\x1f\x01", False),
    "field number 0": (b"\x00\x01", False),
    "wire type 6": (b"\xa6\x06\x01", False),
    "wire type 7": (b"\xa7\x06\x01", False),
    "a length of 10 bytes": (b"\xa2\x06\x81\x80\x80\x80\x80\x80\x80\x80\x80\x00a", True),
    "a length of 11 bytes": (b"\xa2\x06\x81\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00a", False),
    "a length beyond the end": (b"\xa2\x06\x02a", False),
    "a negative length": (b"\xa2\x06\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", False),
    "a varint of 10 bytes with bits to spare": (b"\xa0\x06\x81\x80\x80\x80\x80\x80\x80\x80\x80\x7f", True),
    "a varint of 11 bytes": (b"\xa0\x06\x81\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", False),
    "a group that does not end": (b"\xa3\x06", False),
    "a group that ends as another": (b"\xa3\x06\xac\x06", False),
    "a group that was not begun": (b"\xa4\x06", False),
    "100 groups in one another": (b"\xa3\x06" * 100 + b"\xa4\x06" * 100, True),
    "101 groups in one another": (b"\xa3\x06" * 101 + b"\xa4\x06" * 101, False),
    "a varint of 11 bytes in the field of another type": (
        delimited(
            1, delimited(2, number(1, 1) + delimited(5, b"1234") + delimited(7, b"\x80" * 10 + b"\x01"))
        ),
        False,
    ),
    "a cut float in the field of another type": (
        delimited(1, delimited(2, number(1, 4) + delimited(7, b"\x05") + delimited(5, b"123"))),
        False,
    ),
    "a varint that goes on in the next piece": (
        delimited(1, delimited(2, number(1, 4) + delimited(7, b"\x80") + delimited(7, b"\x01"))),
        False,
    ),
    "a name that is not UTF-8": (b"\x0a\x03\x0a\x01\xff", False),
    "a model's name that is not UTF-8": (b"\x12\x03\x0a\x01\xff", False),
    "a wire type that the field does not have": (b"\x08\x01\x10\x01", True),
}


@pytest.mark.parametrize("case", EDGES)
def test_what_protobuf_refuses_is_refused_and_what_it_takes_is_taken(case: str) -> None:
    payload, readable = EDGES[case]
    assert judged(payload) == readable


@pytest.mark.parametrize("level", ["response", "entry", "tensor", "shape", "dim", "spec", "version"])
@pytest.mark.parametrize("groups", range(94, 102))
def test_groups_may_nest_as_deep_as_in_protobuf(level: str, groups: int) -> None:
    payload = b"\xa3\x06" * groups + b"\xa4\x06" * groups
    outside = {
        "response": (),
        "entry": (1,),
        "tensor": (2, 1),
        "shape": (2, 2, 1),
        "dim": (2, 2, 2, 1),
        "spec": (2,),
        "version": (2, 2),
    }
    for field in outside[level]:
        payload = delimited(field, payload)
    try:
        PredictResponse.FromString(payload)
    except message.DecodeError:
        with pytest.raises(DecodeError, match="cannot be parsed"):
            messages.prediction(payload)
    else:
        try:
            messages.prediction(payload)
        except DecodeError as error:
            assert "DT_INVALID" in str(error)  # an empty tensor is a message, but no array


def sample_payloads() -> list[bytes]:
    payloads = []
    rng = np.random.default_rng(1)
    for kind in WIRE_TYPES:
        for as_content in (False, True):
            response = PredictResponse()
            response.model_spec.name = "model"
            response.model_spec.version.value = 3
            for name in ("a", "b"):
                proto = response.outputs[name]
                proto.dtype = kind.number
                proto.tensor_shape.dim.add(size=2)
                proto.tensor_shape.dim.add(size=3, name="n")
                if as_content and kind.name != "object":
                    proto.tensor_content = rng.bytes(6 * kind.storage.itemsize)
                elif kind.field.name == "float8_val":
                    proto.float8_val = rng.bytes(6)
                elif kind.name == "object":
                    proto.string_val.extend(rng.bytes(2) for _ in range(6))
                else:
                    per_element = 2 if kind.storage.kind == "c" else 1
                    numbers = rng.integers(0, 2 if kind.name == "bool" else 300, 6 * per_element)
                    getattr(proto, kind.field.name).extend(numbers.tolist())
            payloads.append(response.SerializeToString())
    return payloads


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_response_is_read_as_protobuf_reads_it_or_refused(seed: int) -> None:
    samples, chance = sample_payloads(), random.Random(seed)
    readable = 0
    for _ in range(1500):
        payload = bytearray(chance.choice(samples))
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(len(payload)) if payload else 0
            match chance.randrange(5):
                case 0:
                    payload[place : place + 1] = [chance.randrange(256)]
                case 1:
                    payload[place : place + 1] = (
                        [payload[place] ^ 1 << chance.randrange(8)] if payload else []
                    )
                case 2:
                    del payload[place : place + chance.randint(1, 4)]
                case 3:
                    payload[place:place] = chance.randbytes(chance.randint(1, 4))
                case _:
                    del payload[place:]
        readable += judged(bytes(payload))
    assert 100 < readable < 1400  # both ways were tried


@given(st.binary(max_size=60))
@settings(max_examples=500, deadline=None)
def test_any_bytes_are_read_as_protobuf_reads_them_or_refused(payload: bytes) -> None:
    judged(payload)
