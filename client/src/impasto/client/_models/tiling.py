"""The overlapping tiles that cover a large picture, and the room that a server has for them.

A convolutional network computes each output pixel from a neighbourhood of the input. A tile that holds the
whole neighbourhood, or ends where the picture ends, gives that output pixel as the whole picture would, from the
same products. (On some processors their sum is taken in another order, which tips one byte in millions to the next
of its 256 levels.) So tiles overlap, and every output pixel is taken from exactly one tile, far enough from its
inner edges. Where the neighbourhood is too large for that, tiles overlap by less of it and are blended by `shares`.
All tiles of a picture have one size, so that the server meets few shapes. They are as few as the largest tile allows,
and then as small as so few can be: a picture slightly larger than a tile is not sent nearly twice.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from impasto.client._transport.observing import LOGGER
from impasto.client.errors import OutOfMemory
from impasto.client.texts import printable

_STEP: Final = 16
"""Sides of tiles are multiples of this, so that pictures of nearly the same size are sent in tiles of the same."""

FULL_SHARE: Final = 256
"""The sum of the shares that tiles have of a pixel, along one axis."""


class Span(NamedTuple):
    """One tile along one axis, in pixels: start to stop is sent, and core_start to core_stop of it is kept."""

    start: int
    stop: int
    core_start: int
    core_stop: int

    @property
    def whole(self) -> Span:
        """The same, if all of it is kept."""
        return Span(self.start, self.stop, self.start, self.stop)


class Tile(NamedTuple):
    """One tile: its rows and its columns."""

    rows: Span
    columns: Span

    @property
    def side(self) -> int:
        """The longer side of what is sent, in pixels."""
        return max(self.rows.stop - self.rows.start, self.columns.stop - self.columns.start)

    @property
    def whole(self) -> Tile:
        """The same, if all of it is kept."""
        return Tile(self.rows.whole, self.columns.whole)

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


def plan(height: int, width: int, *, tile: int, overlap: int, minimum_side: int = 1) -> tuple[Tile, ...]:
    """The tiles of a picture, row by row.

    Args:
        height: of the picture, in pixels, at least 1.
        width: the width of the picture, in pixels.
        tile: the longest side of a tile, in pixels; a shorter picture is sent in its full height or width.
        overlap: the reach of the network to each side, in pixels.
        minimum_side: the least side that the network takes, at most `tile`.

    Raises:
        ValueError: `tile` is not larger than twice the overlap, so a tile would have nothing to keep.
    """
    if tile <= 2 * overlap:
        raise ValueError(f"tile is {tile}; it must be at least {2 * overlap + 1} pixels")
    rows, columns = (_spans(length, tile, overlap, minimum_side) for length in (height, width))
    return tuple(Tile(row, column) for row in rows for column in columns)


def cut(tile: Tile, *, side: int, overlap: int, minimum_side: int = 1) -> tuple[Tile, ...]:
    """Return the smaller tiles that together keep what one tile keeps, row by row.

    Args:
        tile: the one that is too large for the server.
        side: the longest side of the smaller ones, in pixels, as `plan` takes it.
        overlap: the reach of the network to each side, in pixels.
        minimum_side: the least side that the network takes, at most `side`.
    """
    rows, columns = (_cut(span, side, overlap, minimum_side) for span in (tile.rows, tile.columns))
    return tuple(Tile(row, column) for row in rows for column in columns)


def halved(side: int, *, overlap: int) -> int:
    """Return the side of the tiles of which two in a row keep what one of `side` keeps."""
    return -(-(side - 2 * overlap) // 2) + 2 * overlap


def shares(span: Span, factor: int, overlap: int) -> NDArray[np.int64]:
    """Return a tile's share of each pixel of its result along one axis, in parts of FULL_SHARE.

    The shares of all tiles that `plan` made add up to FULL_SHARE at each pixel: from one tile to the next, one falls as
    the other rises, in a line over twice the overlap.

    Args:
        span: the tile along this axis.
        factor: how many times as large the result is.
        overlap: as `plan` took it.
    """
    places = np.arange(span.start * factor, span.stop * factor)
    share: NDArray[np.int64] = np.full(len(places), FULL_SHARE)
    if span.core_start > span.start:
        share = _risen(places - span.core_start * factor, overlap * factor)
    if span.core_stop < span.stop:
        share = share - _risen(places - span.core_stop * factor, overlap * factor)
    return share


def _risen(places: NDArray[np.int64], half: int) -> NDArray[np.int64]:
    """Return the share that a line from -half to half has risen to in the middle of each place."""
    if not half:
        return np.where(places < 0, 0, FULL_SHARE)
    exact = FULL_SHARE * (2 * (places + half) + 1)
    return np.clip((exact + 2 * half) // (4 * half), 0, FULL_SHARE)


def _cut(span: Span, side: int, overlap: int, minimum_side: int) -> list[Span]:
    moved = (
        Span(
            span.start + part.start,
            span.start + part.stop,
            max(span.start + part.core_start, span.core_start),
            min(span.start + part.core_stop, span.core_stop),
        )
        for part in _spans(span.stop - span.start, side, overlap, minimum_side)
    )
    return [part for part in moved if part.core_start < part.core_stop]


def _spans(length: int, longest: int, overlap: int, minimum_side: int) -> list[Span]:
    if length <= longest:
        return [Span(0, length, 0, length)]
    ends = 2 * overlap
    count = -(-(length - ends) // (longest - ends))
    needed = -(-(length - ends) // count) + ends
    side = min(max(-(-needed // _STEP) * _STEP, minimum_side), longest)
    starts = [*range(0, length - side, side - ends), length - side]
    edges = [0, *(start + overlap for start in starts[1:]), length]
    return [Span(start, start + side, edges[i], edges[i + 1]) for i, start in enumerate(starts)]


def _kept(span: Span, scale: int) -> slice:
    return slice((span.core_start - span.start) * scale, (span.core_stop - span.start) * scale)


def _target(span: Span, scale: int) -> slice:
    return slice(span.core_start * scale, span.core_stop * scale)


LEAST_SIDE: Final = 64
"""The least side, in pixels, that tiles shrink to: smaller ones are mostly overlap, and need next to no memory."""


class TileRoom:
    """The longest side of the tiles that a server has the memory for, as far as a picture has found out.

    Tiles may be sent at the same time: each of them that is refused asks for the same, smaller side.

    Args:
        model: the model's name.
        sides: what is known, by model; pictures of one greater job share it.
        overlap: the pixels that the model's tiles take along to each side.
        minimum_side: the least side that the model takes.
    """

    def __init__(
        self, model: str, sides: MutableMapping[str, int], *, overlap: int, minimum_side: int
    ) -> None:
        self._model = model
        self._sides = sides
        self._overlap = overlap
        self._minimum_side = minimum_side
        self._least = max(LEAST_SIDE, 4 * overlap, minimum_side)
        self._note = ""

    @property
    def note(self) -> str:
        """The words for smaller tiles than were asked for; empty while there are none."""
        return self._note

    def takes(self, tile: Tile) -> bool:
        """Return whether a tile is small enough, as far as is known."""
        return self._model not in self._sides or tile.side <= self._side

    def shrink(self, tile: Tile, refusal: OutOfMemory) -> None:
        """Know that a tile was refused, and halve the side.

        Raises:
            OutOfMemory: the refusal, where smaller tiles are not worth a try.
        """
        side = halved(tile.side, overlap=self._overlap)
        if side < self._least:
            raise refusal.in_words(
                f"{refusal}; it has no memory for a tile of {tile.side} x {tile.side} pixels, which needs very little: "
                "other programs or calls have taken it"
            ) from refusal
        if side < self._sides.get(self._model, tile.side):
            self._sides[self._model] = side
            LOGGER.warning(
                "%s", printable(f"tiles of {self._model} are {side} pixels from now on: {refusal}")
            )

    def parts(self, tile: Tile) -> tuple[Tile, ...]:
        """Return the smaller tiles that are sent for one that is too large."""
        side = self._side
        self._note = (
            f"in tiles of {side} pixels, because {self._model}'s server has no memory for larger ones"
        )
        return cut(tile, side=side, overlap=self._overlap, minimum_side=self._minimum_side)

    @property
    def _side(self) -> int:
        """The longest side that is known to fit; a version that takes more along may have come since it was."""
        return max(self._sides[self._model], self._least)
