"""Protobuf's wire format written in pieces, so that large payloads are copied once: when the pieces are joined."""

from __future__ import annotations

Pieces = list[bytes | memoryview]
"""Bytes of a message in order, not yet joined; memoryviews are one-dimensional, of single bytes."""

_VARINT = 0
_LENGTH = 2


def varint(value: int) -> bytes:
    """An integer from -2**63 to 2**64 - 1 in base 128, lowest first; a negative one as two's complement of 64 bits."""
    value &= 2**64 - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field: int, value: int) -> bytes:
    """A field that holds an integer, a bool or an enumerator."""
    return varint(field << 3 | _VARINT) + varint(value)


def delimited(field: int, payload: bytes) -> bytes:
    """A field that holds bytes, UTF-8 text or a finished message."""
    return b"".join(nested(field, [payload]))


def nested(field: int, pieces: Pieces) -> Pieces:
    """A field that holds a message, or bytes, in pieces."""
    return [varint(field << 3 | _LENGTH) + varint(sum(map(len, pieces))), *pieces]
