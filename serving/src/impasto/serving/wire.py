"""The wire format of protocol buffers, for messages that are faster to read and write without the message classes.

A message is written as a list of pieces, and read as slices of its bytes, so that what is large is copied once, when
the pieces are joined. The client has a codec of its own, `impasto.client._wire`: the two share no code, so that a fault
of one shows where they meet.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

VARINT: Final = 0
FIXED64: Final = 1
LENGTH: Final = 2
FIXED32: Final = 5

_WIDTHS: Final = {FIXED64: 8, FIXED32: 4}
_MOST_FIELDS: Final = 256
"""The fields of a usual message, at most: more are read faster by the message classes."""

_BLOCK: Final = 1 << 16
_LONGEST: Final = 10
"""The bytes of the longest varint."""

Pieces: TypeAlias = list[bytes | memoryview]
"""The bytes of a message in order, not yet joined; memoryviews are one-dimensional, of single bytes."""


class UnusualMessageError(ValueError):
    """The bytes are not such as the usual writers write them, and may be no message at all."""


class Field(NamedTuple):
    """A field of a message."""

    number: int
    kind: int
    """The wire type."""
    value: memoryview
    """The value's bytes, without a length that goes before them."""
    whole: memoryview
    """The field's bytes with its tag."""


def fields(message: memoryview) -> Iterator[Field]:
    """Yield the fields of a message in order.

    Raises:
        UnusualMessageError: there are many fields, or groups, or the bytes are not a message. Fields before that have
            been given by then.
    """
    position = count = 0
    while position < len(message):
        start, count = position, count + 1
        if count > _MOST_FIELDS:
            raise UnusualMessageError(f"more than {_MOST_FIELDS} fields")
        tag, position = _number(message, position)
        kind = tag & 7
        if kind == LENGTH:
            length, position = _number(message, position)
            end = position + length
        elif kind == VARINT:
            _, end = _number(message, position)
        elif kind in _WIDTHS:
            end = position + _WIDTHS[kind]
        else:
            raise UnusualMessageError(f"wire type {kind}")
        if end > len(message) or tag >> 3 == 0:
            raise UnusualMessageError("a field that goes on after the end, or has no number")
        yield Field(tag >> 3, kind, message[position:end], message[start:end])
        position = end


def delimited(field: int, payload: bytes) -> bytes:
    """Return a field that holds bytes, UTF-8 text or a finished message."""
    return b"".join(nested(field, [payload]))


def nested(field: int, pieces: Pieces) -> Pieces:
    """Return a field that holds bytes or a message, in pieces."""
    return [_varint(field << 3 | LENGTH) + _varint(sum(map(len, pieces))), *pieces]


def varint_blocks(values: NDArray[Any]) -> Pieces:
    """Encode a one-dimensional array of integers as varints, one after the other, without a Python loop over them.

    Negative numbers become 64-bit two's complement (ten bytes), as the int32 and int64 fields need it.
    """
    # Blocks bound the memory: a block becomes a matrix with a row for each number and a column for each possible byte.
    return [_encode_block(values[start : start + _BLOCK]) for start in range(0, values.size, _BLOCK)]


def encode_varints(values: NDArray[Any]) -> bytes:
    """Return the blocks of `varint_blocks` as one."""
    return b"".join(varint_blocks(values))


def decode_varints(data: memoryview, dtype: Any) -> NDArray[Any]:
    """Decode varints, one after the other, without a Python loop over them.

    Args:
        data: their bytes.
        dtype: numpy's, an integer's, of which the low bits are kept, or a bool's.

    Raises:
        UnusualMessageError: one is cut off, or of more than 64 bits.
    """
    octets = np.frombuffer(data, np.uint8)
    if octets.size and octets[-1] > 0x7F:
        raise UnusualMessageError("the last varint is cut off")
    values: NDArray[Any] = np.empty(np.count_nonzero(octets <= 0x7F), dtype)
    position = filled = 0
    while position < octets.size:
        end = whole = min(position + _BLOCK, octets.size)
        while octets[end - 1] > 0x7F:  # to the end of the number that the block ends in
            end += 1
            if end - whole > _LONGEST:
                raise UnusualMessageError("a varint of more than 64 bits")
        decoded = _decode_block(octets[position:end])
        values[filled : filled + decoded.size] = decoded.astype(dtype)
        position, filled = end, filled + decoded.size
    return values


def _number(message: memoryview, position: int) -> tuple[int, int]:
    """Return a varint and where it ends."""
    value = 0
    for place, octet in enumerate(message[position : position + _LONGEST]):
        value |= (octet & 0x7F) << 7 * place
        if octet <= 0x7F:
            if octet == 0 and place:  # the message classes refuse some of these
                raise UnusualMessageError("a number is longer than it need be")
            return value, position + place + 1
    raise UnusualMessageError("a number is cut off or too long")


def _varint(value: int) -> bytes:
    octets = bytearray()
    while value > 0x7F:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    octets.append(value)
    return bytes(octets)


def _encode_block(values: NDArray[Any]) -> bytes:
    if values.dtype.kind == "i":
        values = values.astype(np.int64).view(np.uint64)
    width = max(1, -(-int(values.max()).bit_length() // 7))
    if width == 1:
        return values.astype(np.uint8).tobytes()
    octets = np.empty((values.size, width), np.uint8)
    used = np.empty((values.size, width), np.bool_)
    for column in range(width):
        rest = values >> values.dtype.type(7 * column)
        more = rest > 0x7F
        octets[:, column] = (rest & 0x7F).astype(np.uint8) | more.astype(np.uint8) << 7
        used[:, column] = rest > 0
    used[:, 0] = True
    encoded: bytes = octets[used].tobytes()
    return encoded


def _decode_block(octets: NDArray[np.uint8]) -> NDArray[Any]:
    """Decode whole varints."""
    ends = np.flatnonzero(octets <= 0x7F)
    if ends.size == octets.size:
        return octets
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    longest = int(lengths.max())
    if longest > _LONGEST or (longest == _LONGEST and octets[ends[lengths == _LONGEST]].max() > 1):
        raise UnusualMessageError("a varint of more than 64 bits")
    values = (octets[starts] & 0x7F).astype(np.uint64)
    for place in range(1, longest):
        longer = np.flatnonzero(lengths > place)
        part = (octets[starts[longer] + place] & 0x7F).astype(np.uint64)
        values[longer] |= part << np.uint64(7 * place)
    return values
