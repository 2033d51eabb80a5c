"""Write a PNG file row by row, in as much memory for a large picture as for a small one."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client._threads import submitted
from impasto.client.pictures._deflate import END, HEADER, Band, PngCompression, joined_checksum, pack
from impasto.client.pictures._png import SIGNATURE

if TYPE_CHECKING:
    from typing_extensions import Self  # in typing from Python 3.11 on

COLOUR_TYPES: Final[Mapping[str, int]] = {"L": 0, "RGB": 2, "LA": 4, "RGBA": 6}
"""PNG's number for the modes of images that are written row by row."""

_CHANNELS: Final[Mapping[str, int]] = {"L": 1, "RGB": 3, "LA": 2, "RGBA": 4}
_SAMPLES: Final = {np.dtype(np.uint8): 8, np.dtype(np.uint16): 16}
_LARGEST_SIDE: Final = 2**31 - 1

# So many bytes of rows make a band: they stay in a processor's cache, and what a band cannot refer to is little.
_BAND: Final = 2**19

# A picture up to so many pixels is packed to few bytes unless it is said otherwise: that takes half a second at most.
_SMALL_UP_TO: Final = 4_000_000

_BEFORE_PIXELS: Final = 33
"""The length of the signature and the chunk with the size."""


class PngWriter:
    """Writes the rows of a picture to a file from top to bottom. A context manager.

    Rows are gathered to bands, and threads filter and deflate these, as many at once as there are processors.

    Args:
        file: written to from its position on, never read and never moved.
        size: the width and height, in pixels.
        mode: L, LA, RGB or RGBA.
        depth: bits a sample, 8 or 16.
        compression: how to pack; small up to four megapixels and fast above, if not given.
        metadata: Pillow's options for its PNG writer: `icc_profile`, `dpi`, `exif`, `pnginfo`.

    Raises:
        ValueError: the format has no such picture.
        OSError: the file cannot be written to.
    """

    def __init__(
        self,
        file: BinaryIO,
        size: tuple[int, int],
        mode: str,
        *,
        depth: int = 8,
        compression: PngCompression | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        if mode not in COLOUR_TYPES or depth not in _SAMPLES.values():
            raise ValueError(
                f"mode is {mode!r} of {depth} bits; it must be one of {', '.join(COLOUR_TYPES)} of 8 or 16 bits"
            )
        if not all(1 <= side <= _LARGEST_SIDE for side in size):
            raise ValueError(f"size is {size}; a side of a PNG has from 1 to {_LARGEST_SIDE:,} pixels")
        self._file = file
        self._width, self._height = size
        self._depth = depth
        self._step = _CHANNELS[mode] * depth // 8
        self._length = self._width * self._step
        self._compression: PngCompression = compression or default_compression(size)
        self._band_rows = max(1, min(_BAND // self._length, self._height))
        self._band = np.empty((self._band_rows, self._length), np.uint8)
        self._filled = 0  # rows of the band
        self._written = 0  # rows of the picture, the band's included
        self._above: NDArray[np.uint8] | None = None
        self._checksum = zlib.adler32(b"")
        processors = _processors()
        self._most_waiting = 2 * processors
        self._waiting: deque[Future[Band]] = deque()
        # A single band is packed here, without a thread.
        self._threads = ThreadPoolExecutor(processors) if self._band_rows < self._height else None
        head = struct.pack(">2I5B", *size, depth, COLOUR_TYPES[mode], 0, 0, 0)
        self._file.write(SIGNATURE + chunk(b"IHDR", head) + _chunks(mode, metadata or {}))
        self._packed = HEADER

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.finish()
        else:
            self.abandon()

    def write(self, rows: NDArray[Any]) -> None:
        """Take the next rows; waits while the threads are behind by several bands.

        Args:
            rows: [n, W, channels], or [n, W] for mode L, of uint8, or uint16 where the depth is 16.

        Raises:
            ValueError: they have another width, mode or depth, or are more than the picture's.
            OSError: the file cannot be written to.
        """
        flat = self._as_bytes(rows)
        if self._written + len(flat) > self._height:
            raise ValueError(f"row {self._written + len(flat)} of a picture of {self._height} rows")
        position = 0
        while position < len(flat):
            taken = min(self._band_rows - self._filled, len(flat) - position)
            self._band[self._filled : self._filled + taken] = flat[position : position + taken]
            self._filled += taken
            self._written += taken
            position += taken
            if self._filled == self._band_rows or self._written == self._height:
                self._send()

    def finish(self) -> None:
        """Write what is left, and the end of the file.

        Raises:
            ValueError: rows are missing.
            OSError: the file cannot be written to.
        """
        if self._written < self._height:
            self.abandon()
            raise ValueError(f"{self._written} of {self._height} rows were written")
        try:
            while self._waiting:
                self._put(self._waiting.popleft().result())
            self._file.write(chunk(b"IDAT", self._packed + END + struct.pack(">I", self._checksum)))
            self._file.write(chunk(b"IEND", b""))
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Wait for the threads, and forget what they did."""
        self._waiting.clear()
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)

    def _send(self) -> None:
        """Have the band packed, and begin another one."""
        rows, above = self._band[: self._filled], self._above
        self._above = rows[-1]
        self._filled = 0
        if self._threads is None:
            self._put(pack(rows, above, self._step, self._compression))
            return
        self._band = np.empty_like(self._band)
        self._waiting.append(submitted(self._threads, pack, rows, above, self._step, self._compression))
        while len(self._waiting) > self._most_waiting or (self._waiting and self._waiting[0].done()):
            self._put(self._waiting.popleft().result())

    def _put(self, band: Band) -> None:
        self._file.write(chunk(b"IDAT", self._packed + band.data))
        self._packed = b""
        self._checksum = joined_checksum(self._checksum, band.checksum, band.length)

    def _as_bytes(self, rows: NDArray[Any]) -> NDArray[np.uint8]:
        """Return rows as bytes [n, length], the high one of a sample first."""
        if _SAMPLES.get(rows.dtype) != self._depth or rows.ndim not in (2, 3):
            raise ValueError(
                f"rows are {rows.dtype} {list(rows.shape)}; they must be uint{self._depth} [n, W, channels]"
            )
        samples = rows if self._depth == 8 else rows.astype(">u2")
        if rows.shape[1] != self._width or rows[0:1].nbytes not in (0, self._length):
            raise ValueError(
                f"rows are {list(rows.shape)}; the picture is {self._width} pixels wide, each of {self._step} bytes"
            )
        return np.ascontiguousarray(samples).view(np.uint8).reshape(len(rows), self._length)


def write_png(
    file: BinaryIO, image: Image.Image, *, compression: PngCompression | None, metadata: Mapping[str, Any]
) -> None:
    """Write an image of mode L, LA, RGB or RGBA. Raises as `PngWriter`."""
    width, height = image.size
    with PngWriter(file, image.size, image.mode, compression=compression, metadata=metadata) as png:
        rows = max(1, _BAND // (width * len(image.getbands())))
        for top in range(0, height, rows):  # a part at a time is copied out of the image
            png.write(np.asarray(image.crop((0, top, width, min(height, top + rows)))))


def default_compression(size: tuple[int, int]) -> PngCompression:
    """Return how a picture of this size is packed if nobody says."""
    return "small" if size[0] * size[1] <= _SMALL_UP_TO else "fast"


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a PNG chunk: its length, kind, content and checksum."""
    checksum = zlib.crc32(content, zlib.crc32(kind))
    return b"".join((struct.pack(">I", len(content)), kind, content, struct.pack(">I", checksum)))


def _chunks(mode: str, metadata: Mapping[str, Any]) -> bytes:
    """Return the chunks between a picture's size and its pixels, as Pillow writes them."""
    file = io.BytesIO()
    Image.new(mode, (1, 1)).save(file, "PNG", **metadata)
    data, position, found = file.getvalue(), _BEFORE_PIXELS, b""
    while data[position + 4 : position + 8] != b"IDAT":
        end = position + 12 + int.from_bytes(data[position : position + 4], "big")
        found += data[position:end]
        position = end
    return found


def _processors() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
