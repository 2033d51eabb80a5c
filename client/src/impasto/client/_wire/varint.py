"""Base-128 varints, as protobuf packs integers, decoded by numpy without a Python loop over values."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Buffer = bytes | bytearray | memoryview

_LONGEST: Final = 10  # bytes of a 64-bit value
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
