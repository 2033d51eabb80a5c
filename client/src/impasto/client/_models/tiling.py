"""Which overlapping tiles cover a large picture, so that their results join without a seam.

A convolutional network computes each output pixel from a neighbourhood of the input. A tile that holds the
whole neighbourhood, or ends where the picture ends, gives that output pixel as the whole picture would, from the
same products. (On some processors their sum is taken in another order, which tips one byte in millions to the next
of its 256 levels.) So tiles overlap, and every output pixel is taken from exactly one tile, far enough from its
inner edges. All tiles of a picture have one size, so that the server meets few shapes: the last tile of a row is
moved inwards rather than cut thin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

OVERLAP: Final = 5
"""Pixels of the picture sent that srcnn's result depends on to each side."""


@dataclass(frozen=True)
class Span:
    """One tile along one axis, in pixels: start to stop is sent, and core_start to core_stop of it is kept."""

    start: int
    stop: int
    core_start: int
    core_stop: int


@dataclass(frozen=True)
class Tile:
    """One tile: its rows and its columns."""

    rows: Span
    columns: Span

    @property
    def side(self) -> int:
        """The longer side of what is sent, in pixels."""
        return max(self.rows.stop - self.rows.start, self.columns.stop - self.columns.start)

    @property
    def source(self) -> tuple[slice, slice]:
        """Rows and columns of the picture to send."""
        return slice(self.rows.start, self.rows.stop), slice(self.columns.start, self.columns.stop)

    def kept(self, scale: int) -> tuple[slice, slice]:
        """Rows and columns to keep of this tile's result, `scale` times as large as the tile."""
        return _kept(self.rows, scale), _kept(self.columns, scale)

    def target(self, scale: int) -> tuple[slice, slice]:
        """Rows and columns of the whole result that the kept part fills."""
        return _target(self.rows, scale), _target(self.columns, scale)


def plan(height: int, width: int, *, tile: int, overlap: int) -> tuple[Tile, ...]:
    """The tiles of a picture, row by row.

    Args:
        height: of the picture, in pixels, at least 1.
        width: the width of the picture, in pixels.
        tile: the side of the square tiles, in pixels; a shorter picture is sent in its full height or width.
        overlap: the reach of the network to each side, in pixels.

    Raises:
        ValueError: `tile` is not larger than twice the overlap, so a tile would have nothing to keep.
    """
    if tile <= 2 * overlap:
        raise ValueError(f"tile is {tile}; it must be at least {2 * overlap + 1} pixels")
    rows, columns = _spans(height, tile, overlap), _spans(width, tile, overlap)
    return tuple(Tile(row, column) for row in rows for column in columns)


def cut(tile: Tile, *, side: int, overlap: int) -> tuple[Tile, ...]:
    """Return the smaller tiles that together keep what one tile keeps, row by row.

    Args:
        tile: the one that is too large for the server.
        side: of the smaller ones, in pixels, as `plan` takes it.
        overlap: the reach of the network to each side, in pixels.
    """
    rows, columns = _cut(tile.rows, side, overlap), _cut(tile.columns, side, overlap)
    return tuple(Tile(row, column) for row in rows for column in columns)


def halved(side: int, *, overlap: int) -> int:
    """Return the side of the tiles of which two in a row keep what one of `side` keeps."""
    return -(-(side - 2 * overlap) // 2) + 2 * overlap


def _cut(span: Span, side: int, overlap: int) -> list[Span]:
    moved = (
        Span(
            span.start + part.start,
            span.start + part.stop,
            max(span.start + part.core_start, span.core_start),
            min(span.start + part.core_stop, span.core_stop),
        )
        for part in _spans(span.stop - span.start, side, overlap)
    )
    return [part for part in moved if part.core_start < part.core_stop]


def _spans(length: int, tile: int, overlap: int) -> list[Span]:
    if length <= tile:
        return [Span(0, length, 0, length)]
    step = tile - 2 * overlap
    starts = [*range(0, length - tile, step), length - tile]
    edges = [0, *(start + overlap for start in starts[1:]), length]
    return [Span(start, start + tile, edges[i], edges[i + 1]) for i, start in enumerate(starts)]


def _kept(span: Span, scale: int) -> slice:
    return slice((span.core_start - span.start) * scale, (span.core_stop - span.start) * scale)


def _target(span: Span, scale: int) -> slice:
    return slice(span.core_start * scale, span.core_stop * scale)
