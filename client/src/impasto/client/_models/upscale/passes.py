"""A picture's passes through an upscaler: cut into tiles, and the results joined to the whole.

Tiles that overlap by the network's reach are cut: each pixel is one tile's. Where the overlap is smaller than the
reach, two tiles give a pixel differently, and a cut would show as a seam. There they are blended over the overlap: the
share of the one falls as that of the next one rises, along each axis in 256ths that add up to 256. The sums are of
whole numbers, so no order of tiles changes a bit.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client._jobs import PinnedModel, Progress, Size, Steps, Together
from impasto.client._models.tiling import FULL_SHARE, Span, Tile, TileRoom, shares
from impasto.client._models.upscale.description import UpscaleDescription
from impasto.client._models.upscale.enlargement import Enlargement, Pass
from impasto.client._transport.calls import Outputs
from impasto.client._transport.patience import Patience, PatienceWanted
from impasto.client.errors import DecodeError, OutOfMemory
from impasto.client.pictures import Picture, RowSink
from impasto.client.signatures import FACTORS, SERVING_DEFAULT, UPSCALE

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
        self._image = Image.new(picture.mode, (size[1], size[0]))
        self._top = 0

    def write(self, rows: NDArray[np.uint8]) -> None:
        """Take the next rows."""
        for first in range(0, len(rows), _PASTED):  # or a row of tiles would be in memory once more
            part = rows[first : first + _PASTED]
            self._image.paste(self._opaque.rebuild_rows(part, self._top, self._image.size), (0, self._top))
            self._top += len(part)

    def result(self) -> Image.Image:
        """Return the image."""
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


_SIGNATURE: Final = UPSCALE.signatures[SERVING_DEFAULT]
_INPUT: Final = _SIGNATURE.inputs[0].name
_OUTPUT: Final = _SIGNATURE.outputs[0].name

_ONLY_REDUCED: Final = (
    "without the model, because the size that was asked for is no larger than the picture's"
)


def enlarged(
    rgb: NDArray[np.uint8],
    way: Enlargement,
    told: UpscaleDescription,
    model: PinnedModel,
    write: WriteRows,
    *,
    first: bool,
    confirm: Callable[[], Steps[None]],
) -> Steps[None]:
    """Enlarge a picture, and pass the rows of the result on as they come.

    Args:
        rgb: the picture uint8 [H, W, 3].
        way: the passes, and the size.
        told: the model's description.
        model: the model.
        write: gets the rows.
        first: the model's first factor is wanted, whichever it is.
        confirm: called when the first tile has been answered, to check that it was by the version that was described.

    Raises:
        DecodeError: an answer is none of an upscaler.
        CallError: a call failed.
    """
    if way.size != way.enlarged:
        write = Reduction(way.enlarged, way.size, write).write
    if not way.passes:
        yield Progress(0, 1, version=told.version, note=_ONLY_REDUCED)
        write(rgb)
        yield Progress(1, 1, version=told.version, note=_ONLY_REDUCED)
        return
    patience: Patience = yield PatienceWanted()
    room = TileRoom(model.name, patience.sides, overlap=told.overlap, minimum_side=told.minimum_side)
    done, total = 0, sum(len(each.tiles) for each in way.passes)
    yield Progress(done, total, version=model.version, note=room.note)
    for each in way.passes:
        is_last = each is way.passes[-1]
        between = Rows(*((0, 0) if is_last else (side * each.factor for side in each.size)))
        signature = None if first else FACTORS[each.factor]
        work = _Pass(_padded(rgb, each.padded), each, signature, told, model, room)
        yield from work.run(write if is_last else between.write, done, total, confirm)
        rgb, done = between.array, done + len(each.tiles)


@dataclass(frozen=True)
class _Pass:
    """One pass.

    Attributes:
        rgb: what is enlarged, and padded.
        plan: the pass.
        signature: what is called; None for the one of the first factor.
        told: the model's description.
        model: the model.
        room: the room for tiles, as far as is known.
    """

    rgb: NDArray[np.uint8]
    plan: Pass
    signature: str | None
    told: UpscaleDescription
    model: PinnedModel
    room: TileRoom

    def run(self, write: WriteRows, done: int, total: int, confirm: Callable[[], Steps[None]]) -> Steps[None]:
        """Enlarge tile by tile; the first one of all alone, for its answer names the version that makes the others."""
        height, width = self.plan.size
        if self.plan.padded != self.plan.size:
            write = cropped(height * self.plan.factor, width * self.plan.factor, write)
        join = self._join(Span(0, self.plan.padded[1], 0, self.plan.padded[1]), write)
        alone, others = (self.plan.tiles[:1], self.plan.tiles[1:]) if not done else ((), self.plan.tiles)
        for piece in alone:
            part = yield from self._part(piece)
            yield from confirm()
            join.put(piece, part)
            done += 1
            yield self._progress(done, total)
        together = Together(self._part(piece) for piece in others)
        for piece in others:
            join.put(piece, (yield together))
            done += 1
            yield self._progress(done, total)
        if others:
            yield together  # it has ended, which closes it

    def _progress(self, done: int, total: int) -> Progress:
        return Progress(done, total, version=self.model.version, note=self.room.note)

    def _join(self, columns: Span, write: WriteRows) -> Cut | Blend:
        if self.told.blends:
            return Blend(columns, self.plan.factor, self.told.overlap, write)
        return Cut(columns, self.plan.factor, write)

    def _part(self, piece: Tile) -> Steps[NDArray[np.uint8]]:
        """Return the part of the result that is joined: by one call, or by several if the server lacks the memory."""
        wanted = piece.whole if self.told.blends else piece
        if self.room.takes(piece):
            batch = np.ascontiguousarray(self.rgb[piece.source])[np.newaxis]
            try:
                outputs = yield from self.model.predict(
                    {_INPUT: batch}, signature=self.signature, outputs=[_OUTPUT]
                )
            except OutOfMemory as error:
                self.room.shrink(piece, error)
            else:
                kept: NDArray[np.uint8] = self._result(outputs, batch.shape)[0][wanted.kept(self.plan.factor)]
                return kept
        rows, columns = wanted.target(self.plan.factor)
        joined = Rows(rows.stop - rows.start, columns.stop - columns.start)
        join = self._join(wanted.columns, joined.write)
        for part in self.room.parts(wanted):
            join.put(part, (yield from self._part(part)))
        return joined.array

    def _result(self, outputs: Outputs, sent: tuple[int, ...]) -> NDArray[np.uint8]:
        batch, height, width, channels = sent
        wanted = (batch, height * self.plan.factor, width * self.plan.factor, channels)
        found = outputs.get(_OUTPUT)
        if found is None or found.dtype != np.uint8 or found.shape != wanted:
            got = "nothing" if found is None else f"{found.dtype} {list(found.shape)}"
            raise DecodeError(
                f"{self.model.name} answered {got} for {_OUTPUT!r} where an upscaler answers uint8 {list(wanted)}; "
                "is this model an upscaler?",
                model=self.model.name,
            )
        return found


def _padded(rgb: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """Return the picture with its last row and column repeated up to this size, for models that take no smaller one."""
    height, width = rgb.shape[:2]
    if (height, width) == size:
        return rgb
    return np.pad(rgb, ((0, size[0] - height), (0, size[1] - width), (0, 0)), mode="edge")
