"""GetModelMetadata and GetModelStatus beside the official classes: every field, every way to write, and damage."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import message
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow.core.protobuf import error_codes_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from impasto.client._transport.calls import metadata_call, ping_call, status_call
from impasto.client._wire import messages, tensors
from impasto.client._wire.format import FIXED32, FIXED64, LENGTH, VARINT, Place, delimited, number, varint
from impasto.client._wire.tensor_proto import (
    BY_NUMBER,
    OF_ML_DTYPES,
    VALUE_FIELDS,
    WIRE_TYPES,
    TensorMessage,
    type_name,
)
from impasto.client.errors import DecodeError
from impasto.client.model import Model, ModelMetadata, State, TensorInfo
from oracles.official_messages import official_class

MetadataResponse: Any = official_class(
    get_model_metadata_pb2.DESCRIPTOR, "tensorflow.serving.GetModelMetadataResponse", maps=False
)
SignatureDefMap: Any = official_class(
    get_model_metadata_pb2.DESCRIPTOR, "tensorflow.serving.SignatureDefMap", maps=False
)
StatusResponse: Any = official_class(
    get_model_status_pb2.DESCRIPTOR, "tensorflow.serving.GetModelStatusResponse", maps=False
)

# The wire type of one element of each type.
WIRE_FORMAT = {
    FieldDescriptor.TYPE_FLOAT: FIXED32,
    FieldDescriptor.TYPE_DOUBLE: FIXED64,
    FieldDescriptor.TYPE_INT32: VARINT,
    FieldDescriptor.TYPE_INT64: VARINT,
    FieldDescriptor.TYPE_UINT32: VARINT,
    FieldDescriptor.TYPE_UINT64: VARINT,
    FieldDescriptor.TYPE_BOOL: VARINT,
    FieldDescriptor.TYPE_BYTES: LENGTH,
}

thorough = settings(max_examples=200, deadline=None)
names = st.sampled_from(["", "a", "b", "é", "serving_default", "__saved_model_init_op"])
int64s = st.integers(-(2**63), 2**63 - 1)
int32s = st.integers(-(2**31), 2**31 - 1)


# What the client writes.


@thorough
@given(
    name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5),
    version=st.none() | int64s,
    label=st.none() | names,
)
def test_a_request_is_the_one_that_protobuf_would_write(
    name: str, version: int | None, label: str | None
) -> None:
    label = None if version is not None else label
    metadata = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    status = get_model_status_pb2.GetModelStatusRequest()
    for request in (metadata, status):
        request.model_spec.name = name
        if version is not None:
            request.model_spec.version.value = version
        if label is not None:
            request.model_spec.version_label = label
    model = Model(name, version, label)
    assert metadata_call(model).request == metadata.SerializeToString()
    if label is None:  # a status is not asked by label
        assert status_call(model).request == status.SerializeToString()


def test_a_ping_is_the_request_for_no_model_that_protobuf_would_write() -> None:
    ping = get_model_status_pb2.GetModelStatusRequest()
    ping.model_spec.SetInParent()
    assert ping_call().request == ping.SerializeToString()


# What it reads, as the official classes write it.


@st.composite
def default_tensors(draw: st.DrawFn) -> Any:
    shape = draw(st.sampled_from([(), (2,), (1, 3)]))
    dtype = draw(st.sampled_from([np.float32, np.int32, np.uint8, np.bool_, object]))
    array = np.full(shape, draw(st.integers(0, 1)), dtype)
    return tf.make_tensor_proto(array.astype(str) if dtype is object else array)


def merge(into: Any, other: Any) -> None:
    into.MergeFromString(other.SerializeToString())


@st.composite
def signatures(draw: st.DrawFn, kind: Any = SignatureDefMap) -> Any:
    """A SignatureDefMap: names more than once, entries without a key or a value, shapes of all kinds."""
    found = kind()
    for _ in range(draw(st.integers(0, 3))):
        entry = found.signature_def.add(key=draw(names))
        if draw(st.booleans()):
            continue
        definition = entry.value
        definition.method_name = draw(names)
        for infos in (definition.inputs, definition.outputs):
            for _ in range(draw(st.integers(0, 2))):
                info = infos.add(key=draw(names)).value
                info.name = draw(names)
                info.dtype = draw(st.sampled_from([*types_pb2.DataType.values(), 99, -1]))
                if draw(st.booleans()):
                    info.tensor_shape.unknown_rank = draw(st.booleans())
                    for size in draw(st.lists(st.integers(-2, 3) | int64s, max_size=3)):
                        info.tensor_shape.dim.add(size=size, name=draw(names))
        for _ in range(draw(st.integers(0, 2))):
            merge(definition.defaults.add(key=draw(names)).value, draw(default_tensors()))
    return found


@st.composite
def metadata_responses(draw: st.DrawFn) -> Any:
    response = MetadataResponse()
    response.model_spec.name = draw(names)
    response.model_spec.signature_name = draw(names)
    if draw(st.booleans()):
        response.model_spec.version.value = draw(int64s)
    else:
        response.model_spec.version_label = draw(names)
    for key in draw(st.lists(st.sampled_from(["signature_def", "signature_def", "other", ""]), max_size=2)):
        entry = response.metadata.add(key=key)
        if draw(st.integers(0, 9)):
            entry.value.type_url = "type.googleapis.com/tensorflow.serving.SignatureDefMap"
            entry.value.value = draw(rewritten(draw(signatures())))
    return response


@st.composite
def status_responses(draw: st.DrawFn) -> Any:
    response = StatusResponse()
    states = st.sampled_from([*get_model_status_pb2.ModelVersionStatus.State.values(), 99, -1])
    for _ in range(draw(st.integers(0, 3))):
        found = response.model_version_status.add(version=draw(int64s), state=draw(states))
        if draw(st.booleans()):
            found.status.error_code = draw(st.integers(0, 16) | int32s)
            found.status.error_message = draw(names)
    return response


UNKNOWN = [
    number(100, 5),
    delimited(101, b"abc"),
    b"\x95\x06abcd",
    b"\x91\x06abcdefgh",
    b"\xa3\x06\x08\x01\xa4\x06",
]


@st.composite
def rewritten(draw: st.DrawFn, proto: Any) -> bytes:
    """The bytes as another writer may write them: other orders, fields twice, unknown ones, longer numbers."""
    pieces: list[list[bytes]] = []
    for field, held in proto.ListFields():
        items = held if field.is_repeated else [held]
        pieces.append([])
        for item in items:
            if field.message_type is None:
                again = not field.is_repeated and draw(st.booleans())
                pieces[-1] += [scalar(field, item, 0)] * again + [
                    scalar(field, item, draw(st.integers(0, 2)))
                ]
                continue
            is_tensor = (
                field.message_type.full_name == "tensorflow.TensorProto"
            )  # test_predict_messages rewrites them
            inner = item.SerializeToString() if is_tensor else draw(rewritten(item))
            if not field.is_repeated and draw(st.booleans()):
                pieces[-1].append(delimited(field.number, b""))  # merged with what follows
            pieces[-1].append(delimited(field.number, inner))
    pieces.append(draw(st.lists(st.sampled_from(UNKNOWN), max_size=2)))
    order = draw(st.permutations([place for place, group in enumerate(pieces) for _ in group]))
    left = [iter(group) for group in pieces]
    return b"".join(next(left[place]) for place in order)


def scalar(field: FieldDescriptor, value: Any, extra: int) -> bytes:
    """A field with a number, in `extra` bytes more than need be, or with text."""
    if isinstance(value, str | bytes):
        return delimited(field.number, value.encode() if isinstance(value, str) else value)
    short = varint(value)
    longer = bytes([*(byte | 0x80 for byte in short), *[0x80] * (extra - 1), 0])
    return varint(field.number << 3 | VARINT) + (longer if extra and len(longer) <= 10 else short)


def default_of(proto: Any) -> Any:
    """A default as the client's reader of tensors reads it. Raises DecodeError."""
    tensor = TensorMessage()
    tensor.merge(memoryview(proto.SerializeToString()), Place())
    return tensors.decode("", tensor)


def infos_of(entries: Any, defaults: dict[str, Any]) -> dict[str, tuple[object, ...]]:
    protos = {entry.key: entry.value for entry in entries}
    return {
        alias: (
            type_name(info.dtype),
            None
            if info.tensor_shape.unknown_rank
            else tuple(dim.size if dim.size >= 0 else None for dim in info.tensor_shape.dim),
            shown(defaults.get(alias)),
        )
        for alias, info in protos.items()
    }


def shown(array: Any) -> object:
    return None if array is None else (array.dtype.str, array.shape, array.tolist())


def wanted_metadata(payload: bytes) -> object:
    """What the official classes read; None where the client must refuse it. Raises message.DecodeError."""
    response = MetadataResponse.FromString(payload)
    held = {entry.key: entry.value.value for entry in response.metadata}
    if "signature_def" not in held:
        return None
    found = SignatureDefMap.FromString(held["signature_def"])
    try:
        # An entry that a later one of the same name replaces is read, too.
        read = [(entry.key, wanted_signature(entry.value)) for entry in found.signature_def]
    except DecodeError:
        return None
    callable_ones = {name: one for name, one in read if not messages.is_internal(name)}
    return response.model_spec.name, response.model_spec.version.value, callable_ones


def wanted_signature(definition: Any) -> object:
    defaults = {entry.key: default_of(entry.value) for entry in definition.defaults}
    return infos_of(definition.inputs, defaults), infos_of(definition.outputs, {})


def found_metadata(payload: bytes) -> object:
    found: ModelMetadata = messages.metadata(payload)
    assert all(name == signature.name for name, signature in found.signatures.items())

    def infos(held: Any) -> dict[str, tuple[object, ...]]:
        assert list(held) == sorted(held)
        values: list[TensorInfo] = list(held.values())
        return {info.name: (info.dtype, info.shape, shown(info.default)) for info in values}

    each = {name: (infos(one.inputs), infos(one.outputs)) for name, one in found.signatures.items()}
    return found.model, found.version, each


def wanted_status(payload: bytes) -> object:
    response = StatusResponse.FromString(payload)
    states = {state.value for state in State}

    def error(status: Any) -> str:
        code = status.error_code
        known = code in error_codes_pb2.Code.values()
        name = error_codes_pb2.Code.Name(code) if known else f"code {code}"
        return str(status.error_message or (name if code else ""))

    return [
        (one.version, State(one.state) if one.state in states else State.UNKNOWN, error(one.status))
        for one in response.model_version_status
    ]


def found_status(payload: bytes) -> object:
    return [(one.version, one.state, one.error) for one in messages.status(payload)]


Reader = Callable[[bytes], object]


def judged(payload: bytes, wanted: Reader, found: Reader) -> bool:
    """Whether the payload can be read; fails where protobuf and the client disagree."""
    try:
        official = wanted(payload)
    except message.DecodeError:
        official = None
    if official is None:
        with pytest.raises(DecodeError):
            found(payload)
        return False
    assert found(payload) == official
    return True


@thorough
@given(metadata_responses())
def test_metadata_is_read_as_protobuf_reads_it(response: Any) -> None:
    judged(response.SerializeToString(), wanted_metadata, found_metadata)


@thorough
@given(status_responses())
def test_a_status_is_read_as_protobuf_reads_it(response: Any) -> None:
    assert judged(response.SerializeToString(), wanted_status, found_status)


@thorough
@given(metadata_responses(), st.data())
def test_metadata_is_read_however_it_is_written(response: Any, data: st.DataObject) -> None:
    judged(data.draw(rewritten(response)), wanted_metadata, found_metadata)


@thorough
@given(status_responses(), st.data())
def test_a_status_is_read_however_it_is_written(response: Any, data: st.DataObject) -> None:
    assert judged(data.draw(rewritten(response)), wanted_status, found_status)


@given(st.binary(max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_read_as_protobuf_reads_them_or_refused(payload: bytes) -> None:
    judged(payload, wanted_metadata, found_metadata)
    judged(payload, wanted_status, found_status)
    held = delimited(2, delimited(1, b"signature_def") + delimited(2, delimited(2, payload)))
    judged(held, wanted_metadata, found_metadata)


def sample_metadata() -> bytes:
    definitions = SignatureDefMap()
    for name in ("serving_default", "open"):
        definition = definitions.signature_def.add(key=name).value
        for infos in (definition.inputs, definition.outputs):
            info = infos.add(key="image").value
            info.name, info.dtype = "image:0", types_pb2.DT_UINT8
            info.tensor_shape.dim.add(size=-1)
            info.tensor_shape.dim.add(size=3, name="n")
        merge(definition.defaults.add(key="image").value, tf.make_tensor_proto(np.arange(3, dtype=np.uint8)))
    response = MetadataResponse()
    response.model_spec.name, response.model_spec.version.value = "dream", 3
    response.metadata.add(key="signature_def").value.value = definitions.SerializeToString()
    payload: bytes = response.SerializeToString()
    return payload


def sample_status() -> bytes:
    response = StatusResponse()
    for version in (1, 300):
        found = response.model_version_status.add(version=version, state=State.END.value)
        found.status.error_code, found.status.error_message = 13, "corrupt graph"
    payload: bytes = response.SerializeToString()
    return payload


@pytest.mark.parametrize(
    ("sample", "wanted", "found"),
    [(sample_metadata, wanted_metadata, found_metadata), (sample_status, wanted_status, found_status)],
    ids=["metadata", "status"],
)
def test_a_damaged_response_is_read_as_protobuf_reads_it_or_refused(
    sample: Callable[[], bytes], wanted: Reader, found: Reader
) -> None:
    whole, chance = sample(), random.Random(1)
    assert judged(whole, wanted, found)
    readable = 0
    for _ in range(3000):
        payload = bytearray(whole)
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(len(payload)) if payload else 0
            match chance.randrange(4):
                case 0:
                    payload[place : place + 1] = [chance.randrange(256)]
                case 1:
                    del payload[place : place + chance.randint(1, 4)]
                case 2:
                    payload[place:place] = chance.randbytes(chance.randint(1, 4))
                case _:
                    payload[place : place + 1] = (
                        [payload[place] ^ 1 << chance.randrange(8)] if payload else []
                    )
        readable += judged(bytes(payload), wanted, found)
    assert 100 < readable < 2900  # both ways were tried


def test_an_encoding_that_the_client_skips_does_not_hide_the_rest() -> None:
    definitions = get_model_metadata_pb2.SignatureDefMap()
    info = definitions.signature_def["s"].inputs["x"]
    info.coo_sparse.values_tensor_name = "values"
    info.dtype = types_pb2.DT_FLOAT
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.metadata["signature_def"].Pack(definitions)
    assert messages.metadata(response.SerializeToString()).signatures["s"].inputs["x"].dtype == "float32"


# The numbers.


def test_the_client_reads_all_of_a_tensor_but_two_fields() -> None:
    fields = {field.name for field in tensor_pb2.TensorProto.DESCRIPTOR.fields}
    read = {"dtype", "tensor_shape", "tensor_content", *(field.name for field in VALUE_FIELDS.values())}
    assert fields - read == {"version_number", "resource_handle_val", "variant_val"}


def test_every_typed_field_of_a_tensor_has_the_official_number_and_coding() -> None:
    official = {
        field.number: field
        for field in tensor_pb2.TensorProto.DESCRIPTOR.fields
        if field.name.endswith("_val") and field.name not in ("resource_handle_val", "variant_val")
    }
    assert set(VALUE_FIELDS) == set(official)
    for field_number, ours in VALUE_FIELDS.items():
        theirs = official[field_number]
        assert ours.name == theirs.name
        assert ours.wire_type == WIRE_FORMAT[theirs.type], ours.name
        assert (ours.coding in ("fixed", "varint")) == theirs.is_packed, ours.name
        assert (ours.coding == "blob") == (not theirs.is_repeated), ours.name


def test_every_dtype_has_the_official_number_and_numpys_type() -> None:
    for kind in WIRE_TYPES:
        official = tf.as_dtype(kind.number)
        assert official.name == {"object": "string"}.get(kind.name, kind.name)
        if kind.name not in OF_ML_DTYPES and not official.is_quantized:
            assert official.as_numpy_dtype == kind.storage


def test_types_that_no_array_can_have_are_named_as_tensorflow_names_them() -> None:
    for name, value in types_pb2.DataType.items():
        if value not in BY_NUMBER and not name.endswith("_REF"):
            assert type_name(value) in (name, f"DataType {value}")
    assert [type_name(value) for value in (0, 7, 20, 21)] == [
        "DT_INVALID",
        "string",
        "DT_RESOURCE",
        "DT_VARIANT",
    ]
    assert type_name(12345) == "DataType 12345"


def test_the_states_of_a_version_are_the_official_ones() -> None:
    assert {state.name: state.value for state in State} == dict(
        get_model_status_pb2.ModelVersionStatus.State.items()
    )
