"""A TensorProto as it lies in a message: its parts found, its elements not yet read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from impasto.client._wire.dtypes import VALUE_FIELDS, ValueField
from impasto.client._wire.format import LENGTH, VARINT, WIDTHS, Place, WireError, fields, int32, integer, text

_NOTHING = memoryview(b"")

MOST_DIMENSIONS = 254
"""TensorFlow's own limit."""


@dataclass
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
