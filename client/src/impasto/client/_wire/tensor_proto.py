"""TensorProto: element types on the wire beside numpy's, and the parts of a message before its elements are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from impasto.client._wire.format import (
    FIXED32,
    FIXED64,
    LENGTH,
    VARINT,
    WIDTHS,
    Place,
    WireError,
    fields,
    int32,
    integer,
    text,
)

Coding = Literal["fixed", "varint", "strings", "blob"]


class ValueField(NamedTuple):
    """A field of TensorProto that carries elements.

    Attributes:
        number: the field's.
        name: the field's.
        coding: repeated fixed-width numbers, little-endian; repeated base-128 varints; repeated byte strings; or
            one byte string that holds all elements.
        wire_type: of one element where it stands alone; repeated numbers are usually packed into one byte string.
    """

    number: int
    name: str
    coding: Coding
    wire_type: int


FLOAT_VAL: Final = ValueField(5, "float_val", "fixed", FIXED32)
DOUBLE_VAL: Final = ValueField(6, "double_val", "fixed", FIXED64)
INT_VAL: Final = ValueField(7, "int_val", "varint", VARINT)
STRING_VAL: Final = ValueField(8, "string_val", "strings", LENGTH)
SCOMPLEX_VAL: Final = ValueField(9, "scomplex_val", "fixed", FIXED32)
INT64_VAL: Final = ValueField(10, "int64_val", "varint", VARINT)
BOOL_VAL: Final = ValueField(11, "bool_val", "varint", VARINT)
DCOMPLEX_VAL: Final = ValueField(12, "dcomplex_val", "fixed", FIXED64)
HALF_VAL: Final = ValueField(13, "half_val", "varint", VARINT)
UINT32_VAL: Final = ValueField(16, "uint32_val", "varint", VARINT)
UINT64_VAL: Final = ValueField(17, "uint64_val", "varint", VARINT)
FLOAT8_VAL: Final = ValueField(18, "float8_val", "blob", LENGTH)


class WireType(NamedTuple):
    """An element type on the wire.

    Attributes:
        number: the DataType enumerator's.
        name: numpy's name of the type, or ml_dtypes' for those that numpy lacks.
        storage: the little-endian numpy dtype that has the same bits.
        field: TensorProto's typed field.
    """

    number: int
    name: str
    storage: np.dtype[Any]
    field: ValueField


def _types(*rows: tuple[int, str, str, ValueField]) -> tuple[WireType, ...]:
    return tuple(WireType(number, name, np.dtype(storage), field) for number, name, storage, field in rows)


DT_STRING: Final = 7

WIRE_TYPES: Final = _types(
    (1, "float32", "<f4", FLOAT_VAL),
    (2, "float64", "<f8", DOUBLE_VAL),
    (3, "int32", "<i4", INT_VAL),
    (4, "uint8", "<u1", INT_VAL),
    (5, "int16", "<i2", INT_VAL),
    (6, "int8", "<i1", INT_VAL),
    (DT_STRING, "object", "O", STRING_VAL),
    (8, "complex64", "<c8", SCOMPLEX_VAL),
    (9, "int64", "<i8", INT64_VAL),
    (10, "bool", "?", BOOL_VAL),
    (17, "uint16", "<u2", INT_VAL),
    (18, "complex128", "<c16", DCOMPLEX_VAL),
    (19, "float16", "<f2", HALF_VAL),
    (22, "uint32", "<u4", UINT32_VAL),
    (23, "uint64", "<u8", UINT64_VAL),
    # Types that numpy knows through ml_dtypes.
    (14, "bfloat16", "<u2", HALF_VAL),
    (24, "float8_e5m2", "<u1", FLOAT8_VAL),
    (25, "float8_e4m3fn", "<u1", FLOAT8_VAL),
    (29, "int4", "<i1", INT_VAL),
    (30, "uint4", "<u1", INT_VAL),
    # Quantised types are read as the integers that they hold, and never written.
    (11, "qint8", "<i1", INT_VAL),
    (12, "quint8", "<u1", INT_VAL),
    (15, "qint16", "<i2", INT_VAL),
    (16, "quint16", "<u2", INT_VAL),
    (13, "qint32", "<i4", INT_VAL),
)

VALUE_FIELDS: Final = {entry.field.number: entry.field for entry in WIRE_TYPES}
OF_ML_DTYPES: Final = frozenset({"bfloat16", "float8_e5m2", "float8_e4m3fn", "int4", "uint4"})
BY_NUMBER: Final = {entry.number: entry for entry in WIRE_TYPES}
BY_NAME: Final = {entry.name: entry for entry in WIRE_TYPES}

_UNREADABLE: Final = {0: "DT_INVALID", 20: "DT_RESOURCE", 21: "DT_VARIANT"}


def type_name(number: int) -> str:
    """A name for people of any DataType number: numpy's where there is one, `string`, or TensorFlow's own."""
    if number == DT_STRING:
        return "string"
    if number in BY_NUMBER:
        return BY_NUMBER[number].name
    return _UNREADABLE.get(number, f"DataType {number}")


def ml_dtype(name: str) -> np.dtype[Any] | None:
    """ml_dtypes' type of this name; None where that package is not installed."""
    try:
        import ml_dtypes
    except ImportError:
        return None
    scalar: type[np.generic] = getattr(ml_dtypes, name)
    return np.dtype(scalar)


_NOTHING = memoryview(b"")

MOST_DIMENSIONS = 254
"""TensorFlow's own limit."""


@dataclass(eq=False, repr=False)
class TensorMessage:
    """The parts of a TensorProto; all are slices of the message.

    Attributes:
        dtype: the DataType's number, 0 if there is none.
        sizes: of the dimensions.
        unknown_rank: the shape has no known number of dimensions.
        content: tensor_content.
        values: for each typed field its bytes in order, in the packed form of a field that is packed; more than
            one piece if a writer splits it. Of `string_val`, each string.
    """

    dtype: int = 0
    sizes: list[int] = field(default_factory=list)
    unknown_rank: bool = False
    content: memoryview = _NOTHING
    values: dict[ValueField, list[bytes | bytearray | memoryview]] = field(default_factory=dict)

    @classmethod
    def of(cls, pieces: Sequence[memoryview], place: Place) -> TensorMessage:
        """Return what the pieces of a TensorProto say together. See `merge`."""
        message = cls()
        for piece in pieces:
            message.merge(piece, place)
        return message

    def merge(self, message: memoryview, place: Place) -> None:
        """Add what a message says to what is known, as protobuf does when a field occurs again.

        Args:
            message: a TensorProto's bytes.
            place: the message's.

        Raises:
            WireError: protobuf would refuse the bytes.
        """
        for number, kind, value in fields(message, place):
            if number in VALUE_FIELDS:
                self._add(VALUE_FIELDS[number], kind, value)
            elif (number, kind) == (1, VARINT):
                self.dtype = int32(value)
            elif (number, kind) == (2, LENGTH):
                self.merge_shape(value, place.inside())
            elif (number, kind) == (4, LENGTH):
                self.content = value

    def merge_shape(self, message: memoryview, place: Place) -> None:
        """Add the dimensions of a TensorShapeProto, as `merge` adds the rest."""
        for number, kind, value in fields(message, place):
            if (number, kind) == (2, LENGTH):
                if len(self.sizes) == MOST_DIMENSIONS:
                    raise WireError(f"a tensor's shape has more than {MOST_DIMENSIONS} dimensions")
                self.sizes.append(_size(value, place.inside()))
            elif (number, kind) == (3, VARINT):
                self.unknown_rank = integer(value) != 0

    def _add(self, of: ValueField, kind: int, value: memoryview) -> None:
        pieces = self.values.setdefault(of, [])
        if of.coding == "blob" and kind == LENGTH:
            pieces[:] = [value]
        elif of.coding == "strings" and kind == LENGTH:
            pieces.append(bytes(value))  # a short string takes less memory than a view of it
        elif kind == LENGTH:
            _check_packed(of, value)
            pieces.append(value)
        elif kind == of.wire_type:
            # One element with a tag of its own: its bytes are those that it has among packed ones.
            last = pieces[-1] if pieces else None
            if isinstance(last, bytearray):
                last += value
            else:
                pieces.append(bytearray(value))


def _size(message: memoryview, place: Place) -> int:
    """The size of a dimension."""
    size = 0
    for number, kind, value in fields(message, place):
        if (number, kind) == (1, VARINT):
            size = integer(value)
        elif (number, kind) == (2, LENGTH):
            text(value)  # a name, of no use here
    return size


def _check_packed(of: ValueField, value: memoryview) -> None:
    """Each piece must be whole: two that are cut could fit each other."""
    width = WIDTHS.get(of.wire_type)
    if len(value) % width if width else value[-1:].tobytes() >= b"\x80":
        raise WireError(f"{of.name} is cut off")
