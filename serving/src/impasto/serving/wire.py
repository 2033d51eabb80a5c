"""The wire format of protocol buffers, for messages that are faster to write without the message classes."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_BLOCK: Final = 1 << 16
_LENGTH_DELIMITED: Final = 2


def delimited(field: int, payload: bytes) -> bytes:
    """Return a field that holds bytes, UTF-8 text or a finished message."""
    return _varint(field << 3 | _LENGTH_DELIMITED) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    octets = bytearray()
    while value > 0x7F:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    octets.append(value)
    return bytes(octets)


def encode_varints(values: NDArray[Any]) -> bytes:
    """Encode a one-dimensional array of integers as varints, one after the other, without a Python loop.

    Negative numbers become 64-bit two's complement (ten bytes), as the int32 and int64 fields need it.
    """
    if values.dtype.kind == "i":
        values = values.astype(np.int64).view(np.uint64)
    # Blocks bound the memory: a block becomes a matrix with a row for each number and a column for each possible byte.
    blocks = (values[start : start + _BLOCK] for start in range(0, values.size, _BLOCK))
    return b"".join(map(_encode_block, blocks))


def _encode_block(values: NDArray[Any]) -> bytes:
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
