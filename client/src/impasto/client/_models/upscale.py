"""Upscaling: a picture through SRCNN, in overlapping tiles where it is large."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, Final, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client._jobs import Job, PinnedModel, Progress, Steps, Together, begun_again
from impasto.client._jobs.values import LARGEST_INT32, whole
from impasto.client._models.tile_room import TileRoom
from impasto.client._models.tiling import OVERLAP, Tile, plan
from impasto.client._transport.calls import Outputs
from impasto.client._transport.patience import Patience, PatienceWanted
from impasto.client.errors import DecodeError, OutOfMemory
from impasto.client.model import Model
from impasto.client.pictures import ImageSource, Picture, RowSink, read_picture
from impasto.client.settings import CallKind
from impasto.client.signatures import SERVING_DEFAULT, UPSCALE

ResultT_co = TypeVar("ResultT_co", covariant=True)

SCALE: Final = 2
LEAST_TILE: Final = 2 * OVERLAP + 1
TILE: Final = 512
"""Default side of a tile in pixels: it takes the server some 0.5 GB, and larger ones 2.1 GB for each megapixel."""

_SIGNATURE: Final = UPSCALE.signatures[SERVING_DEFAULT]
_INPUT: Final = _SIGNATURE.inputs[0].name
_OUTPUT: Final = _SIGNATURE.outputs[0].name


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
    model: Model | str = UPSCALE.usual_model

    def checked(self) -> dict[str, Any]:
        """Return the tile as a number. Raises InvalidInput."""
        return {"tile": None if self.tile is None else whole("tile", self.tile, LEAST_TILE, LARGEST_INT32)}

    def prepare(self, *, max_pixels: int) -> Steps[Image.Image]:
        """Read the picture, and return the steps that double it, one Predict call a tile."""
        return _prepared(self, self.model, _Whole, max_pixels=max_pixels)


@dataclass(frozen=True, eq=False)
class UpscaleToRows(Job[tuple[int, int], Progress]):
    """Do what a job does, and pass the rows of its result on as soon as all their tiles are there.

    Args:
        job: the job.
        sink: gets the rows. If the picture is begun again with another version, so is the sink.
        model: the upscaler on the server; the job's own is not asked.

    Returns:
        The width and height of the result.

    Raises:
        OutputError: of the sink. Further as the job.
    """

    kind: ClassVar[CallKind] = Upscale.kind

    job: Upscale
    sink: RowSink
    _: KW_ONLY
    model: Model | str = UPSCALE.usual_model

    def prepare(self, *, max_pixels: int) -> Steps[tuple[int, int]]:
        """Read the picture, and return the steps that double it, one Predict call a tile."""
        return _prepared(
            self.job, self.model, lambda picture: _Rows(picture, self.sink), max_pixels=max_pixels
        )


class _Target(Protocol[ResultT_co]):
    """Joins the parts of a picture's result."""

    def put(self, piece: Tile, part: NDArray[np.uint8]) -> None:
        """Take what is kept of the next tile's result; tiles come row by row."""

    def result(self) -> ResultT_co:
        """Return the result, when all parts are there."""
        ...


class _Whole:
    def __init__(self, picture: Picture) -> None:
        width, height = _size(picture)
        self._picture = picture
        self._rgb = np.empty((height, width, 3), np.uint8)

    def put(self, piece: Tile, part: NDArray[np.uint8]) -> None:
        self._rgb[piece.target(SCALE)] = part

    def result(self) -> Image.Image:
        return self._picture.rebuild(self._rgb)


class _Rows:
    """Passes the rows on that a row of tiles fills."""

    def __init__(self, picture: Picture, sink: RowSink) -> None:
        self._picture, self._sink = picture, sink
        self._size = _size(picture)
        self._band = np.empty((0, 0, 3), np.uint8)
        sink.begin(self._size, picture.mode, picture.info_for(picture.mode))

    def put(self, piece: Tile, part: NDArray[np.uint8]) -> None:
        (rows, columns), (width, _) = piece.target(SCALE), self._size
        if columns.start == 0:
            self._band = np.empty((len(part), width, 3), np.uint8)
        self._band[:, columns] = part
        if columns.stop == width:
            self._sink.write(np.asarray(self._picture.rebuild_rows(self._band, rows.start, self._size)))

    def result(self) -> tuple[int, int]:
        return self._size


def _size(picture: Picture) -> tuple[int, int]:
    height, width = picture.rgb.shape[:2]
    return width * SCALE, height * SCALE


def _prepared(
    job: Upscale, model: Model | str, target: Callable[[Picture], _Target[ResultT_co]], *, max_pixels: int
) -> Steps[ResultT_co]:
    picture = read_picture(job.image, max_pixels=max_pixels)
    height, width = picture.rgb.shape[:2]
    tile = max(height, width, TILE) if job.tile is None else job.tile
    tiles = plan(height, width, tile=tile, overlap=OVERLAP)
    return begun_again(lambda asked: _upscaled(picture, asked, tiles, target(picture)), Model.of(model))


def _upscaled(
    picture: Picture, model: PinnedModel, tiles: Sequence[Tile], target: _Target[ResultT_co]
) -> Steps[ResultT_co]:
    """Double tile by tile: the first one alone, for its answer names the version that makes the others, too."""
    patience: Patience = yield PatienceWanted()
    room = TileRoom(model.name, patience.sides)
    yield Progress(0, len(tiles), version=model.version, note=room.note)
    target.put(tiles[0], (yield from _kept(picture, model, tiles[0], room)))
    yield Progress(1, len(tiles), version=model.version, note=room.note)
    others = Together(_kept(picture, model, piece, room) for piece in tiles[1:])
    for done, piece in enumerate(tiles[1:], start=2):
        target.put(piece, (yield others))
        yield Progress(done, len(tiles), version=model.version, note=room.note)
    return target.result()


def _kept(picture: Picture, model: PinnedModel, piece: Tile, room: TileRoom) -> Steps[NDArray[np.uint8]]:
    """Return the part of the result that a tile keeps: by one call, or by several if the server lacks the memory."""
    if room.takes(piece):
        batch = np.ascontiguousarray(picture.rgb[piece.source])[np.newaxis]
        try:
            outputs = yield from model.predict({_INPUT: batch}, outputs=[_OUTPUT])
        except OutOfMemory as error:
            room.shrink(piece, error)
        else:
            kept: NDArray[np.uint8] = _doubled(outputs, batch.shape, model.name)[0][piece.kept(SCALE)]
            return kept
    rows, columns = piece.target(SCALE)
    joined = np.empty((rows.stop - rows.start, columns.stop - columns.start, 3), np.uint8)
    for part in room.parts(piece):
        down, right = part.target(SCALE)
        place = (
            slice(down.start - rows.start, down.stop - rows.start),
            slice(right.start - columns.start, right.stop - columns.start),
        )
        joined[place] = yield from _kept(picture, model, part, room)
    return joined


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
