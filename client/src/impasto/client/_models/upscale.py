"""Upscaling: a picture through SRCNN, in overlapping tiles where it is large."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client._jobs import Job, PinnedModel, Progress, Steps, Together, begun_again
from impasto.client._jobs.values import LARGEST_INT32, whole
from impasto.client._models.tile_room import TileRoom
from impasto.client._models.tiling import Tile, plan
from impasto.client._transport.calls import Outputs
from impasto.client._transport.patience import Patience, PatienceWanted
from impasto.client.errors import DecodeError, OutOfMemory
from impasto.client.model import Model
from impasto.client.pictures import ImageSource, Picture, read_picture
from impasto.client.settings import CallKind
from impasto.client.signatures import SERVING_DEFAULT, SRCNN, SRCNN_OVERLAP

SCALE: Final = 2
LEAST_TILE: Final = 2 * SRCNN_OVERLAP + 1
TILE: Final = 512
"""Default side of a tile in pixels: it takes the server 0.3 GB, where 12 megapixels at once take 5 GB."""

_SIGNATURE: Final = SRCNN.signatures[SERVING_DEFAULT]
_INPUT: Final = _SIGNATURE.inputs[0].name
_OUTPUT: Final = _SIGNATURE.outputs[0].name


Rows: TypeAlias = Callable[[int, NDArray[np.uint8]], None]
"""Receives finished rows of a result, RGB, [rows, width, 3], with the index of the first of them: from top to bottom,
each row once. Where the picture is begun again, they begin again with index 0."""


@dataclass(frozen=True, eq=False)
class Upscale(Job[Image.Image, Progress]):
    """Double a picture's width and height.

    A large picture is sent in tiles, several of which are under way at once, spread over the replicas. The version
    that answers the first tile is asked for by the others, too. If it goes away in the middle, the picture is begun
    again with the one that is served then, and the progress with it; twice at most. Where the server does not have the
    memory for a tile, smaller ones are sent from then on, which the progress notes.

    Args:
        image: a path, an image file's bytes, a PIL image, or a uint8 array [H, W], [H, W, 1], [H, W, 2]
            (gray and alpha), [H, W, 3] or [H, W, 4] (RGB and alpha). EXIF orientation is applied.
        tile: the side, in pixels, of the pieces in which a larger picture is sent, at least 11; None
            sends it whole. The result is the same.
        model: the upscaler on the server.

    Returns:
        An image of mode RGB, or L if the input was gray; RGBA or LA if it had transparency, which is
        resized bicubically. The colour profile and the resolution in dpi are kept in `info`.

    Raises:
        InvalidInput: `tile` is too small.
        ImageError: the picture cannot be used.
        OSError: the file cannot be opened.
        CallError: a call failed.
    """

    kind: ClassVar[CallKind] = "upscale"
    pictures: ClassVar[tuple[str, ...]] = ("image",)

    image: ImageSource
    _: KW_ONLY
    tile: int | None = TILE
    model: Model | str = SRCNN.name

    def checked(self) -> dict[str, Any]:
        """Return the tile as a number. Raises InvalidInput."""
        return {"tile": None if self.tile is None else whole("tile", self.tile, LEAST_TILE, LARGEST_INT32)}

    def prepare(self, *, max_pixels: int) -> Steps[Image.Image]:
        """Read the picture, and return the steps that double it, one Predict call a tile."""
        return _whole(read_picture(self.image, max_pixels=max_pixels), self)


@dataclass(frozen=True, eq=False)
class UpscaleInBands(Job[None, Progress]):
    """Double a picture whose result is handed on from top to bottom, and need not be held as a whole.

    Args:
        job: what to do.
        rows: receives the result in order.
        model: the upscaler; the job's.
    """

    kind: ClassVar[CallKind] = Upscale.kind

    job: Upscale
    rows: Rows
    model: Model | str

    def prepare(self, *, max_pixels: int) -> Steps[None]:
        """Read the picture, and return the steps that double it."""
        return _in_bands(read_picture(self.job.image, max_pixels=max_pixels), self.job, self.model, self.rows)


def tiles_of(height: int, width: int, tile: int | None) -> tuple[Tile, ...]:
    """Return the tiles in which a picture is sent, row by row; `tile` is the side of them, None sends it whole."""
    side = max(height, width, TILE) if tile is None else tile
    return plan(height, width, tile=side, overlap=SRCNN_OVERLAP)


def _whole(picture: Picture, job: Upscale) -> Steps[Image.Image]:
    height, width = picture.rgb.shape[:2]
    result = np.empty((height * SCALE, width * SCALE, 3), np.uint8)

    def keep(top: int, band: NDArray[np.uint8]) -> None:
        result[top : top + len(band)] = band

    yield from _in_bands(picture, job, job.model, keep)
    return picture.rebuild(result)


def _in_bands(picture: Picture, job: Upscale, model: Model | str, rows: Rows) -> Steps[None]:
    height, width = picture.rgb.shape[:2]
    tiles = tiles_of(height, width, job.tile)
    return begun_again(lambda asked: _upscaled(picture, asked, tiles, rows), Model.of(model))


def _upscaled(picture: Picture, model: PinnedModel, tiles: Sequence[Tile], rows: Rows) -> Steps[None]:
    """Double tile by tile: the first one alone, for its answer names the version that makes the others, too."""
    band = _Band(picture.rgb.shape[1], rows)
    patience: Patience = yield PatienceWanted()
    room = TileRoom(model.name, patience.sides)
    yield Progress(0, len(tiles), version=model.version, note=room.note)
    band.add(tiles[0], (yield from _kept(picture, model, tiles[0], room)))
    yield Progress(1, len(tiles), version=model.version, note=room.note)
    others = Together(_kept(picture, model, piece, room) for piece in tiles[1:])
    for done, piece in enumerate(tiles[1:], start=2):
        band.add(piece, (yield others))
        yield Progress(done, len(tiles), version=model.version, note=room.note)


def _kept(picture: Picture, model: PinnedModel, piece: Tile, room: TileRoom) -> Steps[NDArray[np.uint8]]:
    """Return the part of the result that a tile keeps: by one call, or by several if the server lacks the memory."""
    if room.takes(piece):
        batch = np.ascontiguousarray(picture.rgb[piece.source])[np.newaxis]
        try:
            outputs = yield from model.predict({_INPUT: batch}, outputs=[_OUTPUT])
        except OutOfMemory as error:
            room.shrink(piece, error)
        else:
            return _doubled(outputs, batch.shape, model.name)[0][piece.kept(SCALE)]
    rows, columns = piece.target(SCALE)
    kept = np.empty((rows.stop - rows.start, columns.stop - columns.start, 3), np.uint8)
    for part in room.parts(piece):
        down, right = part.target(SCALE)
        place = (
            slice(down.start - rows.start, down.stop - rows.start),
            slice(right.start - columns.start, right.stop - columns.start),
        )
        kept[place] = yield from _kept(picture, model, part, room)
    return kept


class _Band:
    """The rows of the result that the tiles of one row fill.

    Args:
        width: of the picture, in pixels.
        rows: receives each band when its last tile is there.
    """

    def __init__(self, width: int, rows: Rows) -> None:
        self._width = width
        self._rows = rows
        self._pixels = np.empty((0, 0, 3), np.uint8)

    def add(self, piece: Tile, kept: NDArray[np.uint8]) -> None:
        """Take what the next tile keeps; they come row by row."""
        rows, columns = piece.target(SCALE)
        if columns.start == 0:
            self._pixels = np.empty((rows.stop - rows.start, self._width * SCALE, 3), np.uint8)
        self._pixels[:, columns] = kept
        if columns.stop == self._width * SCALE:
            self._rows(rows.start, self._pixels)


def _doubled(outputs: Outputs, sent: tuple[int, ...], model: str) -> NDArray[np.uint8]:
    batch, height, width, channels = sent
    wanted = (batch, height * SCALE, width * SCALE, channels)
    found = outputs.get(_OUTPUT)
    if found is None or found.dtype != np.uint8 or found.shape != wanted:
        got = "nothing" if found is None else f"{found.dtype} {list(found.shape)}"
        raise DecodeError(
            f"{model} answered {got} for {_OUTPUT!r} where an upscaler answers uint8 {list(wanted)}; "
            "is this model an upscaler?",
            model=model,
        )
    return found
