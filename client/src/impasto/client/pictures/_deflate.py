"""A PNG's rows, filtered and packed in bands that are deflated each on its own, so that all processors share the work.

Each band is a piece of a raw deflate stream that ends with a sync flush, on a byte's boundary, and refers to nothing
before it. So the pieces one after the other, with zlib's header before them and the checksum of all behind them, are
one zlib stream, which any reader reads.

ISA-L packs some five times as fast as zlib's level 1. Where it is not installed, zlib does both.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import zlib
from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Bytes: TypeAlias = NDArray[np.uint8]
_Filter: TypeAlias = Callable[[Bytes, Bytes, int], Bytes]
"""Takes rows of bytes [n, length], those above them, and the bytes of a pixel; returns the filtered rows [n, length].

Sums and differences are modulo 256, as bytes have them by themselves."""


def _unfiltered(rows: Bytes, _above: Bytes, _step: int) -> Bytes:
    return rows


def _sub(rows: Bytes, _above: Bytes, step: int) -> Bytes:
    return rows - _left_of(rows, step)


def _up(rows: Bytes, above: Bytes, _step: int) -> Bytes:
    return rows - above


def _average(rows: Bytes, above: Bytes, step: int) -> Bytes:
    left = _left_of(rows, step)
    mean = (left & above) + ((left ^ above) >> 1)  # rounded down, within eight bits
    return rows - np.asarray(mean, np.uint8)


def _paeth(rows: Bytes, above: Bytes, step: int) -> Bytes:
    left, corner = _left_of(rows, step), _left_of(above, step)
    across = above.astype(np.int16) - corner  # how far left + above - corner is from left
    down = left.astype(np.int16) - corner
    from_corner = np.abs(across + down)
    from_left, from_above = np.abs(across, out=across), np.abs(down, out=down)
    nearest: Bytes = np.where(from_above <= from_corner, above, corner)
    np.copyto(nearest, left, where=(from_left <= from_above) & (from_left <= from_corner))
    return rows - nearest


_FILTERS: Final[tuple[_Filter, ...]] = (_unfiltered, _sub, _up, _average, _paeth)

QUICK: Final = (1, 2, 3)
"""The types of the filters that cost least, by their numbers in a file."""

_THOROUGH: Final = (1, 2, 3, 4)
"""The types of all filters that change a row."""


def _filtered(rows: Bytes, above: Bytes | None, step: int, types: tuple[int, ...]) -> Bytes:
    """Return rows with the type of each in front, each by the filter that leaves the smallest differences.

    That is the specification's heuristic (12.7): the sum of the differences without their signs is the least.

    Args:
        rows: uint8 [n, length].
        above: uint8 [length], the row above the first one; None for the top of a picture.
        step: the bytes of a pixel.
        types: the types to choose from, by their numbers in a file.

    Returns:
        uint8 [n, 1 + length].
    """
    over = np.empty_like(rows)
    over[0] = 0 if above is None else above
    over[1:] = rows[:-1]
    result = np.empty((len(rows), 1 + rows.shape[1]), np.uint8)
    least = np.full(len(rows), np.iinfo(np.uint64).max, np.uint64)
    for kind in types:
        found = _FILTERS[kind](rows, over, step)
        sizes = _differences(found) if len(types) > 1 else np.zeros(len(rows), np.uint64)
        better = sizes < least
        result[better, 0] = kind
        result[better, 1:] = found[better]
        np.minimum(least, sizes, out=least)
    return result


def _left_of(rows: Bytes, step: int) -> Bytes:
    left = np.zeros_like(rows)
    left[:, step:] = rows[:, :-step]
    return left


def _differences(rows: Bytes) -> NDArray[np.uint64]:
    # Of -128 the size overflows to -128, which is 128 as an unsigned byte.
    sizes: NDArray[np.uint8] = np.abs(rows.view(np.int8)).view(np.uint8)
    return np.asarray(sizes.sum(axis=1, dtype=np.uint64))


@functools.cache
def isal_zlib() -> Any:
    """ISA-L's module, or None: it is of an extra, and there are machines that it is not built for."""
    with contextlib.suppress(ImportError):
        return importlib.import_module("isal.isal_zlib")
    return None


PngCompression: TypeAlias = Literal["fast", "small"]
"""The ways to pack a PNG: as fast as possible, or to fewer bytes, in some four times that time."""

HEADER: Final = b"\x78\x01"
"""zlib's: deflate, a window of 32 KiB, no dictionary."""

END: Final = b"\x03\x00"
"""A last deflate block, which is empty."""

_MODULUS: Final = 65_521
_LEVEL: Final = 6
_MOST_MEMORY: Final = 9
_CLEARLY: Final = 0.97
_SAMPLE: Final = 2**13
_SAMPLES: Final = 8


class Band(NamedTuple):
    """Packed rows.

    Attributes:
        data: a piece of a deflate stream.
        checksum: of what was packed, by Adler-32.
        length: of what was packed, in bytes.
    """

    data: bytes
    checksum: int
    length: int


def pack(rows: Bytes, above: Bytes | None, step: int, compression: PngCompression) -> Band:
    """Filter and deflate some rows.

    Args:
        rows: uint8 [n, length].
        above: the row above the first one, None for the top of a picture.
        step: the bytes of a pixel.
        compression: how to pack.
    """
    types = QUICK if compression == "fast" else _THOROUGH
    changed = _filtered(rows, above, step, types).data.cast("B")
    if compression == "fast":
        return _band(_fast(changed), changed)
    return _small(changed, _filtered(rows, None, step, (0,)).data.cast("B"))


def joined_checksum(first: int, second: int, length: int) -> int:
    """Return the Adler-32 of two texts one after the other, of those of each and the length of the second.

    The low half is 1 plus the sum of the bytes, the high half the sum of all low halves on the way (RFC 1950, 8.2).
    """
    low = (first & 0xFFFF) + (second & 0xFFFF) - 1
    high = (first >> 16) + (second >> 16) + length * ((first & 0xFFFF) - 1)
    return (high % _MODULUS) << 16 | low % _MODULUS


def _fast(data: memoryview) -> bytes:
    if isal_zlib() is not None:
        return _isal(data)
    parts = range(0, len(data), max(_SAMPLE, len(data) // _SAMPLES))
    sample = memoryview(b"".join(data[start : start + _SAMPLE] for start in parts))
    return _runs(data) if len(_runs(sample)) <= len(_quick_zlib(sample)) else _quick_zlib(data)


def _small(changed: memoryview, plain: memoryview) -> Band:
    """Return the smallest one of the pieces for rows with and without filters.

    The differences of a photo repeat by chance only. References to such repetitions cost more than they save, and
    finding them most of the time. So if they do not pay where they are found fast, only runs of one byte are packed.
    In drawings and screenshots they do pay, often more without a filter.
    """
    runs = _runs(changed)
    quick = _quick_zlib(changed) if isal_zlib() is None else _isal(changed)
    if len(runs) < _CLEARLY * len(quick):
        return _band(runs, changed)
    pieces = ((runs, changed), (_thorough_zlib(changed), changed), (_thorough_zlib(plain), plain))
    return _band(*min(pieces, key=lambda piece: len(piece[0])))


def _band(packed: bytes, data: memoryview) -> Band:
    return Band(packed, zlib.adler32(data), len(data))


def _isal(data: memoryview) -> bytes:
    return _flushed(isal_zlib().compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS, _MOST_MEMORY), data)


def _zlib(level: int, strategy: int) -> Callable[[memoryview], bytes]:
    def packed(data: memoryview) -> bytes:
        return _flushed(zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, _MOST_MEMORY, strategy), data)

    return packed


_runs = _zlib(1, zlib.Z_RLE)
_quick_zlib = _zlib(1, zlib.Z_DEFAULT_STRATEGY)
_thorough_zlib = _zlib(_LEVEL, zlib.Z_DEFAULT_STRATEGY)


def _flushed(packer: Any, data: memoryview) -> bytes:
    return b"".join((packer.compress(data), packer.flush(zlib.Z_SYNC_FLUSH)))
