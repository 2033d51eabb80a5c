"""Rows of a result: joined from tiles, cut to a size or reduced to it, and gathered where they belong.

Tiles that overlap by the network's reach are cut: each pixel is one tile's. Where the overlap is smaller than the
reach, two tiles give a pixel differently, and a cut would show as a seam. There they are blended over the overlap: the
share of the one falls as that of the next one rises, along each axis in 256ths that add up to 256. The sums are of
whole numbers, so no order of tiles changes a bit.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client._jobs import Size
from impasto.client._models.tiling import FULL_SHARE, Span, Tile, shares
from impasto.client.pictures import Picture, RowSink

ResultT_co = TypeVar("ResultT_co", covariant=True)


_PASTED: Final = 256
"""Rows that are pasted into an image at once."""


class Target(Protocol[ResultT_co]):
    """Takes the rows of a picture's result."""

    def write(self, rows: NDArray[np.uint8]) -> None:
        """Take the next rows uint8 [n, W, 3], from top to bottom."""
        ...

    def result(self) -> ResultT_co:
        """Return the result, when all rows are there."""
        ...


class ToImage:
    """Fills an image like the picture with the rows, as they come: the result is in memory once.

    Args:
        picture: the picture that is enlarged.
        size: height and width of the result.
    """

    def __init__(self, picture: Picture, size: Size) -> None:
        self._picture, self._opaque = picture, replace(picture, alpha=None)
        self._size = size[1], size[0]
        self._image: Image.Image | None = None
        self._top = 0

    def write(self, rows: NDArray[np.uint8]) -> None:
        """Take the next rows."""
        if len(rows) == self._size[1]:
            self._image = self._opaque.rebuild_rows(rows, 0, self._size)
            return
        if self._image is None:
            self._image = Image.new(self._picture.mode, self._size)
        for first in range(0, len(rows), _PASTED):  # or a row of tiles would be in memory once more
            part = rows[first : first + _PASTED]
            self._image.paste(self._opaque.rebuild_rows(part, self._top, self._size), (0, self._top))
            self._top += len(part)

    def result(self) -> Image.Image:
        """Return the image."""
        assert self._image is not None  # every picture has rows
        if (alpha := self._picture.alpha) is not None:
            # Whole: in pieces it is rounded differently where the sizes are no multiples.
            self._image.putalpha(Image.fromarray(alpha).resize(self._image.size, Image.Resampling.BICUBIC))
        self._image.info.update(self._picture.info_for(self._picture.mode))
        return self._image


class ToRows:
    """Passes the rows on, made like the picture: gray, or with its transparency.

    Args:
        picture: the picture that is enlarged.
        size: height and width of the result.
        sink: gets the rows.
    """

    def __init__(self, picture: Picture, size: Size, sink: RowSink) -> None:
        self._picture, self._sink = picture, sink
        self._size = size[1], size[0]
        self._top = 0
        sink.begin(self._size, picture.mode, picture.info_for(picture.mode))

    def write(self, rows: NDArray[np.uint8]) -> None:
        """Take the next rows."""
        self._sink.write(np.asarray(self._picture.rebuild_rows(rows, self._top, self._size)))
        self._top += len(rows)

    def result(self) -> tuple[int, int]:
        """Return the width and height."""
        return self._size


_LOBES: Final = 3
"""The rows that a row of the result looks at to each side, in rows of the result."""


class Reduction:
    """Reduces rows of a picture, and passes on those of the result.

    Args:
        size: height and width of the picture.
        to: those of the result.
        write: gets the rows.
    """

    def __init__(self, size: Size, to: Size, write: WriteRows) -> None:
        self._size, self._to, self._write_on = size, to, write
        self._scale = size[0] / to[0]
        self._reach = _LOBES * max(self._scale, 1) + 1
        self._rows: NDArray[np.uint8] = np.empty((0, size[1], 3), np.uint8)
        self._first = 0  # which row of the picture is the first of these
        self._done = 0

    def write(self, rows: NDArray[np.uint8]) -> None:
        """Take the next rows."""
        self._rows = np.concatenate([self._rows, rows])
        there = self._first + len(self._rows)
        ready = math.floor((there - self._reach) / self._scale)
        stop = self._to[0] if there == self._size[0] else min(ready, self._to[0])
        if stop <= self._done:
            return
        top = self._done * self._scale - self._first
        bottom = min(stop * self._scale - self._first, len(self._rows))
        reduced = Image.fromarray(self._rows).resize(
            (self._to[1], stop - self._done),
            Image.Resampling.LANCZOS,
            box=(0, top, self._size[1], bottom),
        )
        self._done = stop
        needed = max(self._first, math.floor(stop * self._scale - self._reach))
        self._rows, self._first = self._rows[needed - self._first :], needed
        self._write_on(np.asarray(reduced))


WriteRows: TypeAlias = Callable[[NDArray[np.uint8]], None]
"""Takes the next rows uint8 [n, W, 3], from top to bottom."""

_ROWS: Final = 64
"""Rows that are blended at once, for the sums take four times the memory."""
_WHOLE: Final = FULL_SHARE * FULL_SHARE


class Cut:
    """Joins the parts that tiles keep, row by row.

    Args:
        columns: the columns that the tiles fill together.
        factor: how many times as large the results are.
        write: gets the rows that are complete.
    """

    def __init__(self, columns: Span, factor: int, write: WriteRows) -> None:
        self._columns, self._factor, self._write = columns, factor, write
        self._band = np.empty((0, 0, 3), np.uint8)

    def put(self, piece: Tile, part: NDArray[np.uint8]) -> None:
        """Take what the next tile keeps; tiles come row by row."""
        first, last, factor = self._columns.core_start, self._columns.core_stop, self._factor
        start, stop = piece.columns.core_start, piece.columns.core_stop
        if (start, stop) == (first, last):  # no other tile in this row
            self._write(part)
            return
        if start == first:
            self._band = np.empty((len(part), (last - first) * factor, 3), np.uint8)
        self._band[:, (start - first) * factor : (stop - first) * factor] = part
        if stop == last:
            self._write(self._band)


class Blend:
    """Joins the whole results of tiles, row by row, blended where they overlap.

    Args:
        columns: the columns that the tiles fill together.
        factor: how many times as large the results are.
        overlap: the pixels that tiles take along to each side.
        write: gets the rows that are complete.
    """

    def __init__(self, columns: Span, factor: int, overlap: int, write: WriteRows) -> None:
        self._columns, self._factor, self._overlap, self._write = columns, factor, overlap, write
        self._band = np.zeros((0, 0, 3), np.uint16)
        width = (columns.core_stop - columns.core_start) * factor
        self._carried = np.zeros((0, width, 3), np.uint32)

    def put(self, piece: Tile, part: NDArray[np.uint8]) -> None:
        """Take the next tile's result; tiles come row by row."""
        first, last, factor = self._columns.core_start, self._columns.core_stop, self._factor
        start, stop = piece.columns.start, piece.columns.stop
        if piece.columns.core_start == first:
            self._band = np.zeros((len(part), (last - first) * factor, 3), np.uint16)
        share = shares(piece.columns, factor, self._overlap).astype(np.uint16)
        self._band[:, (start - first) * factor : (stop - first) * factor] += part * share[:, np.newaxis]
        if piece.columns.core_stop == last:
            self._add_band(piece.rows)

    def _add_band(self, rows: Span) -> None:
        """Pass on the rows that no later tile has a share of, and carry the others."""
        down = shares(rows, self._factor, self._overlap).astype(np.uint32)
        is_last = rows.core_stop == rows.stop
        complete = len(down) if is_last else (rows.core_stop - self._overlap - rows.start) * self._factor
        done = np.empty((complete, *self._band.shape[1:]), np.uint8)
        carried = np.empty((len(down) - complete, *self._band.shape[1:]), np.uint32)
        edges = sorted({*range(0, len(down), _ROWS), complete, len(down)})
        for top, bottom in itertools.pairwise(edges):
            sums = self._band[top:bottom] * down[top:bottom, np.newaxis, np.newaxis]
            before = self._carried[top:bottom]
            sums[: len(before)] += before
            if top < complete:
                done[top:bottom] = (sums + _WHOLE // 2) // _WHOLE
            else:
                carried[top - complete : bottom - complete] = sums
        self._carried = carried
        if complete:
            self._write(done)


class Rows:
    """An array that is filled with rows from top to bottom.

    Attributes:
        array: uint8 [H, W, 3].
    """

    def __init__(self, height: int, width: int) -> None:
        self.array: NDArray[np.uint8] = np.empty((height, width, 3), np.uint8)
        self._filled = 0

    def write(self, rows: NDArray[np.uint8]) -> None:
        """Take the next rows."""
        self.array[self._filled : self._filled + len(rows)] = rows
        self._filled += len(rows)


def cropped(height: int, width: int, write: WriteRows) -> WriteRows:
    """Return what takes rows of a larger picture, and passes on its upper left corner of this size."""
    left = height

    def crop(rows: NDArray[np.uint8]) -> None:
        nonlocal left
        kept = rows[:left, :width]
        left -= len(kept)
        if len(kept):
            write(kept)

    return crop
