"""Element types on the wire beside numpy's, and the field that carries each outside tensor_content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from impasto.client.wire import serving_pb2 as wire

Coding = Literal["fixed", "varint", "bytes"]


@dataclass(frozen=True)
class WireType:
    """How one element type travels.

    Attributes:
        number: the DataType enumerator.
        name: numpy's name of the type, or ml_dtypes' for those that numpy lacks.
        storage: the little-endian numpy dtype that has the same bits.
        field: TensorProto's typed field.
        coding: how that field packs values: fixed-width little-endian, base-128 varints, or separate byte
            strings.
    """

    number: wire.DataType
    name: str
    storage: np.dtype[Any]
    field: str
    coding: Coding


def _types(*rows: tuple[wire.DataType, str, str, str, Coding]) -> tuple[WireType, ...]:
    return tuple(
        WireType(number, name, np.dtype(storage), field, coding)
        for number, name, storage, field, coding in rows
    )


WIRE_TYPES: Final = _types(
    (wire.DT_FLOAT, "float32", "<f4", "float_val", "fixed"),
    (wire.DT_DOUBLE, "float64", "<f8", "double_val", "fixed"),
    (wire.DT_INT32, "int32", "<i4", "int_val", "varint"),
    (wire.DT_UINT8, "uint8", "<u1", "int_val", "varint"),
    (wire.DT_INT16, "int16", "<i2", "int_val", "varint"),
    (wire.DT_INT8, "int8", "<i1", "int_val", "varint"),
    (wire.DT_STRING, "object", "O", "string_val", "bytes"),
    (wire.DT_COMPLEX64, "complex64", "<c8", "scomplex_val", "fixed"),
    (wire.DT_INT64, "int64", "<i8", "int64_val", "varint"),
    (wire.DT_BOOL, "bool", "?", "bool_val", "varint"),
    (wire.DT_UINT16, "uint16", "<u2", "int_val", "varint"),
    (wire.DT_COMPLEX128, "complex128", "<c16", "dcomplex_val", "fixed"),
    (wire.DT_HALF, "float16", "<f2", "half_val", "varint"),
    (wire.DT_UINT32, "uint32", "<u4", "uint32_val", "varint"),
    (wire.DT_UINT64, "uint64", "<u8", "uint64_val", "varint"),
    # Types that numpy knows through ml_dtypes.
    (wire.DT_BFLOAT16, "bfloat16", "<u2", "half_val", "varint"),
    (wire.DT_FLOAT8_E5M2, "float8_e5m2", "<u1", "float8_val", "fixed"),
    (wire.DT_FLOAT8_E4M3FN, "float8_e4m3fn", "<u1", "float8_val", "fixed"),
    (wire.DT_INT4, "int4", "<i1", "int_val", "varint"),
    (wire.DT_UINT4, "uint4", "<u1", "int_val", "varint"),
    # Quantised types are read as the integers that they hold, and never written.
    (wire.DT_QINT8, "qint8", "<i1", "int_val", "varint"),
    (wire.DT_QUINT8, "quint8", "<u1", "int_val", "varint"),
    (wire.DT_QINT16, "qint16", "<i2", "int_val", "varint"),
    (wire.DT_QUINT16, "quint16", "<u2", "int_val", "varint"),
    (wire.DT_QINT32, "qint32", "<i4", "int_val", "varint"),
)

OF_ML_DTYPES: Final = frozenset({"bfloat16", "float8_e5m2", "float8_e4m3fn", "int4", "uint4"})
BY_NUMBER: Final = {entry.number: entry for entry in WIRE_TYPES}
BY_NAME: Final = {entry.name: entry for entry in WIRE_TYPES}


def type_name(number: wire.DataType) -> str:
    """A name for people of any DataType number: numpy's where there is one, `string`, or TensorFlow's own."""
    if number == wire.DT_STRING:
        return "string"
    if number in BY_NUMBER:
        return BY_NUMBER[number].name
    return wire.DataType.Name(number) if number in wire.DataType.values() else f"DataType {number}"


def ml_dtype(name: str) -> np.dtype[Any] | None:
    """ml_dtypes' type of this name; None where that package is not installed."""
    try:
        import ml_dtypes
    except ImportError:
        return None
    found: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
    return found
