"""The client's .proto beside the installed tensorflow-serving-api, field by field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2, types_pb2
from tensorflow.core.protobuf import error_codes_pb2, meta_graph_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    status_pb2,
)

from impasto.client._dtypes import OF_ML_DTYPES, VALUE_FIELDS, WIRE_TYPES
from impasto.client._wire_reader import FIXED32, FIXED64, LENGTH, VARINT
from impasto.client.wire import serving_pb2 as wire

OFFICIAL: dict[str, Any] = {
    "GetModelMetadataResponse": get_model_metadata_pb2.GetModelMetadataResponse,
    "GetModelStatusResponse": get_model_status_pb2.GetModelStatusResponse,
    "ModelSpec": model_pb2.ModelSpec,
    "ModelVersionStatus": get_model_status_pb2.ModelVersionStatus,
    "SignatureDef": meta_graph_pb2.SignatureDef,
    "SignatureDefMap": get_model_metadata_pb2.SignatureDefMap,
    "StatusProto": status_pb2.StatusProto,
    "TensorInfo": meta_graph_pb2.TensorInfo,
    "TensorShapeProto": tensor_shape_pb2.TensorShapeProto,
}
OFFICIAL_ENUMS: dict[str, EnumDescriptor] = {
    "Code": error_codes_pb2.Code.DESCRIPTOR,
    "DataType": types_pb2.DataType.DESCRIPTOR,
}

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

# What the header of serving.proto says is left out.
OMITTED = {"TensorInfo": {"coo_sparse", "composite_tensor"}}


@pytest.mark.parametrize("name", sorted(wire.DESCRIPTOR.message_types_by_name))
def test_every_message_has_the_official_fields_numbers_and_types(name: str) -> None:
    assert_same_fields(wire.DESCRIPTOR.message_types_by_name[name], OFFICIAL[name].DESCRIPTOR)


def assert_same_fields(ours: Descriptor, official: Descriptor) -> None:
    assert {f.name for f in official.fields} - {f.name for f in ours.fields} == OMITTED.get(ours.name, set())
    for field in ours.fields:
        theirs = official.fields_by_name[field.name]
        assert (field.number, field.is_repeated) == (theirs.number, theirs.is_repeated), field.full_name
        if theirs.message_type is tensor_pb2.TensorProto.DESCRIPTOR:
            assert field.type == FieldDescriptor.TYPE_BYTES, field.full_name  # for the client's own reader
            continue
        assert field.type == theirs.type, field.full_name
        assert oneof(field) == oneof(theirs), field.full_name
        if field.message_type is not None:
            assert theirs.message_type is not None
            assert_same_type_name(field.message_type, theirs.message_type)
        if field.enum_type is not None:
            assert theirs.enum_type is not None
            assert field.enum_type.name == theirs.enum_type.name


def assert_same_type_name(ours: Descriptor, official: Descriptor) -> None:
    assert ours.name == official.name
    assert ours.GetOptions().map_entry == official.GetOptions().map_entry
    if ours.GetOptions().map_entry or ours.containing_type is not None:
        assert_same_fields(ours, official)


def oneof(field: FieldDescriptor) -> str | None:
    return field.containing_oneof.name if field.containing_oneof is not None else None


def test_every_typed_field_of_a_tensor_has_the_official_number_and_coding() -> None:
    official = {
        field.number: field
        for field in tensor_pb2.TensorProto.DESCRIPTOR.fields
        if field.name.endswith("_val") and field.name not in ("resource_handle_val", "variant_val")
    }
    assert set(VALUE_FIELDS) == set(official)
    for number, ours in VALUE_FIELDS.items():
        theirs = official[number]
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


@pytest.mark.parametrize("name", sorted(OFFICIAL_ENUMS))
def test_every_enumerator_has_the_official_number(name: str) -> None:
    official = OFFICIAL_ENUMS[name].values_by_name
    for value in wire.DESCRIPTOR.enum_types_by_name[name].values:
        assert value.number == official[value.name].number, value.name


def test_the_states_of_a_version_are_the_official_ones() -> None:
    ours = wire.ModelVersionStatus.State.items()
    assert ours == get_model_status_pb2.ModelVersionStatus.State.items()


def test_the_schema_shares_no_name_with_tensorflow() -> None:
    assert wire.DESCRIPTOR.package == "impasto.wire"
    assert wire.DESCRIPTOR.name == "impasto/client/wire/serving.proto"


def test_the_generated_code_loads_on_the_oldest_protobuf_that_is_promised() -> None:
    generated = Path(wire.__file__).read_text()
    assert "# Protobuf Python Version: 5.29.0" in generated  # newer output refuses older runtimes


def test_the_generated_code_says_what_the_proto_file_says() -> None:
    source = Path(wire.__file__).with_name("serving.proto").read_text()
    for name in wire.DESCRIPTOR.message_types_by_name:
        assert f"message {name} {{" in source
    fields = sum(len(m.fields) for m in wire.DESCRIPTOR.message_types_by_name.values())
    nested = sum(
        len(n.fields)
        for m in wire.DESCRIPTOR.message_types_by_name.values()
        for n in m.nested_types
        if not n.GetOptions().map_entry
    )
    lines = [line.split("//")[0] for line in source.splitlines()]
    enumerators = sum(len(e.values) for e in wire.DESCRIPTOR.enum_types_by_name.values()) + len(
        wire.ModelVersionStatus.State.items()
    )
    declared = sum(
        1 for line in lines if "=" in line and line.rstrip().endswith(";") and "syntax" not in line
    )
    assert declared == fields + nested + enumerators
