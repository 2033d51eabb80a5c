"""Base-128 varints, as protobuf packs integers, decoded by numpy without a Python loop over values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_LONGEST = 10  # bytes of a 64-bit value


def decode_varints(data: bytes) -> NDArray[np.unsignedinteger[Any]]:
    """The values of a packed varint field, in order.

    Returns:
        uint8 [n] where every value is below 256 (the usual case for pixels: a few passes over the bytes),
        else uint64 [n]; negative numbers come out as their 64-bit two's complement, as protobuf writes them.

    Raises:
        ValueError: the last varint is cut off, or one is longer than ten bytes.
    """
    raw = np.frombuffer(data, np.uint8)
    goes_on = raw >= 0x80
    if not goes_on.any():
        return raw
    if goes_on[-1]:
        raise ValueError("the last varint is cut off")
    if not (goes_on[:-1] & (raw[1:] > 1)).any():  # every second byte is 0 or 1
        return _two_byte(raw, goes_on)
    return _any_length(raw, goes_on)


def _two_byte(raw: NDArray[np.uint8], goes_on: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Values below 256: at most two bytes each, the second only 0 or 1."""
    values: NDArray[np.uint8] = raw & np.uint8(0x7F)
    values[:-1] |= (raw[1:] << np.uint8(7)) * goes_on[:-1]
    starts = np.empty(raw.size, np.bool_)
    starts[0] = True
    np.logical_not(goes_on[:-1], out=starts[1:])
    return values[starts]


def _any_length(raw: NDArray[np.uint8], goes_on: NDArray[np.bool_]) -> NDArray[np.uint64]:
    ends = np.flatnonzero(~goes_on)
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
