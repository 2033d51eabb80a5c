"""Protobuf's wire format, read and written field by field; many varints at once are decoded by numpy.

A value that is read is a slice of the message, so nothing is copied; a message that is written is a list of pieces, so
that large payloads are copied once, when the pieces are joined.

The reader takes and refuses what protobuf's own parser takes and refuses in the fields that are read: numbers that are
written longer than need be, unknown fields and groups (skipped), and at most 100 levels of messages and groups in one
another. One limit is its own: the fields of a message are counted, with those of the messages in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

VARINT: Final = 0
FIXED64: Final = 1
LENGTH: Final = 2
START_GROUP: Final = 3
END_GROUP: Final = 4
FIXED32: Final = 5

WIDTHS: Final = {FIXED32: 4, FIXED64: 8}
"""Bytes of a value of the wire types that have a fixed width."""

Field = tuple[int, int, memoryview]
"""A field's number, its wire type, and the bytes of its value (without a length that goes before them)."""

Pieces = list[bytes | memoryview]
"""The bytes of a message in order, not yet joined; memoryviews are one-dimensional, of single bytes."""

_MOST_LEVELS: Final = 100
_LONGEST_TAG: Final = 5
_TOO_MANY: Final = "it has more fields than any honest one"
_LONGEST: Final = 10  # bytes of a 64-bit value


class WireError(ValueError):
    """The bytes are not a message."""


class Place:
    """The place of a message among those that are read together: the outermost one, or one inside of it.

    A field takes this reader some microseconds, and can be of two bytes, so a response of a few megabytes could keep it
    busy for a minute, which no timeout would end. Honest ones have a field for each string, and few others.

    Args:
        most_fields: the fields of all these messages together.
    """

    __slots__ = ("left", "level")

    def __init__(self, most_fields: int = 1 << 20) -> None:
        self.level = 0
        """The number of messages that it is inside of."""
        self.left = [most_fields]
        """The number of fields that may still come, in a list that these messages share."""

    def inside(self, levels: int = 1) -> Place:
        """Return the place so many messages further in, which counts its fields with this one's."""
        inner = Place.__new__(Place)  # __init__ would make a count of its own
        inner.level, inner.left = self.level + levels, self.left
        return inner


def fields(message: memoryview, place: Place) -> Iterator[Field]:
    """The fields of a message in the order in which they were written; groups, which nothing here uses, are skipped.

    Args:
        message: of single bytes.
        place: the message's.

    Raises:
        WireError: the bytes are not a message, or have too many fields. Fields before that have been given by then.
    """
    position, end, left = 0, len(message), place.left
    while position < end:
        left[0] -= 1
        if left[0] < 0:
            raise WireError(_TOO_MANY)
        number, kind, position = _tag(message, position)
        if kind == START_GROUP:
            position = _after_group(message, position, number, place)
            continue
        start, position = _value(message, position, kind)
        yield number, kind, message[start:position]


def integer(value: memoryview) -> int:
    """The number in a varint field's value, as protobuf reads an int64: from -2**63 to 2**63 - 1."""
    unsigned, _ = _varint(value, 0, _LONGEST)
    if unsigned < 1 << 63:
        return unsigned
    unsigned &= 2**64 - 1
    return unsigned - 2**64 if unsigned >> 63 else unsigned


def int32(value: memoryview) -> int:
    """The number in a varint field's value, as protobuf reads an int32 or an enumerator: its low 32 bits."""
    low = integer(value) & 0xFFFFFFFF
    return low - 2**32 if low >> 31 else low


def text(value: memoryview) -> str:
    """The string in a length-delimited field's value. Raises WireError if it is not UTF-8."""
    try:
        return str(value, "utf-8")
    except UnicodeDecodeError as error:
        raise WireError(f"a string is not UTF-8: {error.reason}") from error


def map_entry(entry: memoryview, place: Place) -> tuple[str, list[memoryview]]:
    """The key of a map's entry, and the pieces of its value; protobuf merges several, and there may be none.

    Args:
        entry: the entry's bytes, of a map from strings to messages.
        place: the entry's.

    Raises:
        WireError: the bytes are not an entry.
    """
    key = ""
    pieces: list[memoryview] = []
    for number, kind, value in fields(entry, place):
        if (number, kind) == (1, LENGTH):
            key = text(value)
        elif (number, kind) == (2, LENGTH):
            pieces.append(value)
    return key, pieces


def varint(value: int) -> bytes:
    """An integer from -2**63 to 2**64 - 1 in base 128, lowest first; a negative one as two's complement of 64 bits."""
    if 0 <= value < 0x80:
        return bytes((value,))
    value &= 2**64 - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field: int, value: int) -> bytes:
    """A field that holds an integer, a bool or an enumerator."""
    return varint(field << 3 | VARINT) + varint(value)


def delimited(field: int, payload: bytes) -> bytes:
    """A field that holds bytes, UTF-8 text or a finished message."""
    return varint(field << 3 | LENGTH) + varint(len(payload)) + payload


def nested(field: int, pieces: Pieces) -> Pieces:
    """A field that holds a message, or bytes, in pieces."""
    return [varint(field << 3 | LENGTH) + varint(sum(map(len, pieces))), *pieces]


def _tag(message: memoryview, position: int) -> tuple[int, int, int]:
    tag = message[position]
    if tag < 0x80:  # as those of numbers up to 15 are
        position += 1
    else:
        tag, position = _varint(message, position, _LONGEST_TAG)
    number = tag >> 3
    if not 0 < number < 1 << 29:
        raise WireError(f"a field has the number {number}")
    return number, tag & 7, position


def _value(message: memoryview, position: int, kind: int) -> tuple[int, int]:
    """Find where the value of a field begins and ends, given where its tag ends."""
    start = stop = position
    if kind == LENGTH:
        length, start = _varint(message, position, _LONGEST)
        stop = start + length
    elif kind == VARINT:
        _, stop = _varint(message, position, _LONGEST)
    elif kind in WIDTHS:
        stop = start + WIDTHS[kind]
    else:
        raise WireError(f"a field has the wire type {kind}")
    if stop > len(message):
        raise WireError("a field goes on after the end")
    return start, stop


def _after_group(message: memoryview, position: int, number: int, place: Place) -> int:
    """Find where a group ends, given where the tag that opens it ends."""
    open_groups = [number]
    while open_groups:
        if place.level + len(open_groups) > _MOST_LEVELS:
            raise WireError(f"more than {_MOST_LEVELS} levels of groups")
        place.left[0] -= 1
        if place.left[0] < 0:
            raise WireError(_TOO_MANY)
        if position == len(message):
            raise WireError("a group has no end")
        number, kind, position = _tag(message, position)
        if kind == START_GROUP:
            open_groups.append(number)
        elif kind != END_GROUP:
            _, position = _value(message, position, kind)
        elif number != open_groups.pop():
            raise WireError("a group ends that was not begun")
    return position


def _varint(message: memoryview, position: int, longest: int) -> tuple[int, int]:
    """A varint's value, perhaps of more than 64 bits, and where it ends."""
    if position < len(message) and (byte := message[position]) < 0x80:
        return byte, position + 1
    value = shift = 0
    for byte in message[position : position + longest]:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, position + shift // 7
    raise WireError("a number is cut off or too long")


Buffer = bytes | bytearray | memoryview

_BLOCK: Final = (
    1 << 17
)  # bytes of a field that are worked on at once: the intermediate arrays stay in the cache


def decode_varints(data: Buffer) -> NDArray[np.unsignedinteger[Any]]:
    """The values of a packed varint field, in order.

    Returns:
        uint8 [n] where every value is below 256 and none is written longer than it need be (pixels), perhaps
        a read-only view of the data; else uint64 [n], where negative numbers are their 64-bit two's complement,
        as protobuf writes them.

    Raises:
        ValueError: the last varint is cut off, or one is longer than ten bytes.
    """
    raw = np.frombuffer(data, np.uint8)
    if raw.size and raw[-1] >= 0x80:
        raise ValueError("the last varint is cut off")
    pixels = _below_256(raw)
    return _any_length(raw) if pixels is None else pixels


def _below_256(raw: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Values below 256, each in as few bytes as it can be; None if there are others."""
    blocks: list[bytes | memoryview] = []
    start = 0
    while start < raw.size:
        stop = min(start + _BLOCK, raw.size)
        stop += int(raw[stop - 1] >= 0x80)  # the second byte of the last value
        block = _block_below_256(raw[start:stop])
        if block is None:
            return None
        blocks.append(block)
        start = stop
    if len(blocks) == 1:
        return np.frombuffer(blocks[0], np.uint8)
    return np.frombuffer(b"".join(blocks), np.uint8)


def _block_below_256(raw: NDArray[np.uint8]) -> bytes | memoryview | None:
    """Do what `_below_256` does for a block that ends with the end of a value.

    Values from 128 to 255 take two bytes, v and 1. In UTF-8 the same code points take two bytes too, so a few passes
    over the bytes make them UTF-8 in place, and Python's decoder (the fastest that squeezes out bytes: boolean
    indexing takes twice as long) leaves one byte a value.
    """
    goes_on = raw >= 0x80
    if not goes_on.any():
        return raw.data
    if (goes_on[:-1] & (raw[1:] != 1)).any():
        return None
    # Masks and exclusive-ors choose between two bytes faster than np.where does.
    chosen = -goes_on.view(np.uint8)  # 255 where a value goes on, else 0
    utf8 = raw >> np.uint8(6)  # a first byte v becomes 0xC0 | v >> 6, any other stays
    utf8 |= np.uint8(0xC0)
    utf8 ^= raw
    utf8 &= chosen
    utf8 ^= raw
    second = raw[:-1] & np.uint8(0x3F)  # what follows v, a 1, becomes 0x80 | v & 0x3F
    second ^= np.uint8(0x80 ^ 1)
    second &= chosen[:-1]
    utf8[1:] ^= second
    return utf8.tobytes().decode().encode("latin-1")


def _any_length(raw: NDArray[np.uint8]) -> NDArray[np.uint64]:
    ends = np.flatnonzero(raw < 0x80)
    starts = np.empty_like(ends)
    starts[0] = 0
    starts[1:] = ends[:-1] + 1
    lengths = ends - starts + 1
    longest = int(lengths.max())
    if longest > _LONGEST:
        raise ValueError(f"a varint of {longest} bytes; the longest is {_LONGEST}")
    values = (raw[starts] & 0x7F).astype(np.uint64)
    for place in range(1, longest):
        longer = np.flatnonzero(lengths > place)
        values[longer] |= (raw[starts[longer] + place] & 0x7F).astype(np.uint64) << np.uint64(7 * place)
    return values
