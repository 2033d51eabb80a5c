"""Pack a PNG's rows: bands that are deflated each on its own, so that all processors share the work.

Each band is a piece of a raw deflate stream that ends with a sync flush, on a byte's boundary, and refers to nothing
before it. So the pieces one after the other, with zlib's header before them and the checksum of all behind them, are
one zlib stream, which any reader reads.

ISA-L packs some five times as fast as zlib's level 1. Where it is not installed, zlib does both.
"""

from __future__ import annotations

import contextlib
import importlib
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from impasto.client.pictures._png_filters import QUICK, THOROUGH, Bytes, filtered

isal_zlib: Any = None
with contextlib.suppress(ImportError):  # it is of an extra, and there are machines that it is not built for
    isal_zlib = importlib.import_module("isal.isal_zlib")

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


@dataclass(frozen=True)
class Band:
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
    types = QUICK if compression == "fast" else THOROUGH
    changed = filtered(rows, above, step, types).data.cast("B")
    if compression == "fast":
        return _band(_fast(changed), changed)
    return _small(changed, filtered(rows, None, step, (0,)).data.cast("B"))


def joined_checksum(first: int, second: int, length: int) -> int:
    """Return the Adler-32 of two texts one after the other, of those of each and the length of the second.

    The low half is 1 plus the sum of the bytes, the high half the sum of all low halves on the way (RFC 1950, 8.2).
    """
    low = (first & 0xFFFF) + (second & 0xFFFF) - 1
    high = (first >> 16) + (second >> 16) + length * ((first & 0xFFFF) - 1)
    return (high % _MODULUS) << 16 | low % _MODULUS


def _fast(data: memoryview) -> bytes:
    if isal_zlib is not None:
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
    quick = _quick_zlib(changed) if isal_zlib is None else _isal(changed)
    if len(runs) < _CLEARLY * len(quick):
        return _band(runs, changed)
    pieces = ((runs, changed), (_thorough_zlib(changed), changed), (_thorough_zlib(plain), plain))
    return _band(*min(pieces, key=lambda piece: len(piece[0])))


def _band(packed: bytes, data: memoryview) -> Band:
    return Band(packed, zlib.adler32(data), len(data))


def _isal(data: memoryview) -> bytes:
    return _flushed(isal_zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS, _MOST_MEMORY), data)


def _zlib(level: int, strategy: int) -> Callable[[memoryview], bytes]:
    def packed(data: memoryview) -> bytes:
        return _flushed(zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, _MOST_MEMORY, strategy), data)

    return packed


_runs = _zlib(1, zlib.Z_RLE)
_quick_zlib = _zlib(1, zlib.Z_DEFAULT_STRATEGY)
_thorough_zlib = _zlib(_LEVEL, zlib.Z_DEFAULT_STRATEGY)


def _flushed(packer: Any, data: memoryview) -> bytes:
    return b"".join((packer.compress(data), packer.flush(zlib.Z_SYNC_FLUSH)))
