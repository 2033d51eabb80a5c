"""Upscaling: a picture through SRCNN, in overlapping tiles where it is large."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client._jobs import Job, PinnedModel, Progress, Steps, begun_again
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


@dataclass(frozen=True, eq=False)
class Upscale(Job[Image.Image, Progress]):
    """Double a picture's width and height.

    The version that answers the first tile is asked for by the others, too. If it goes away in the middle, the
    picture is begun again with the one that is served then, and the progress with it; twice at most. Where the server
    does not have the memory for a tile, smaller ones are sent from then on, which the progress notes.

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
        picture = read_picture(self.image, max_pixels=max_pixels)
        height, width = picture.rgb.shape[:2]
        tile = max(height, width, TILE) if self.tile is None else self.tile
        tiles = plan(height, width, tile=tile, overlap=SRCNN_OVERLAP)
        return begun_again(lambda model: _upscaled(picture, model, tiles), Model.of(self.model))


def _upscaled(picture: Picture, model: PinnedModel, tiles: Sequence[Tile]) -> Steps[Image.Image]:
    height, width = picture.rgb.shape[:2]
    result = np.empty((height * SCALE, width * SCALE, 3), np.uint8)
    patience: Patience = yield PatienceWanted()
    room = TileRoom(model.name, patience.sides)
    for done, piece in enumerate(tiles):
        yield Progress(done, len(tiles), version=model.version, note=room.note)
        yield from _fill(result, picture, model, piece, room)
    yield Progress(len(tiles), len(tiles), version=model.version, note=room.note)
    return picture.rebuild(result)


def _fill(
    result: NDArray[np.uint8], picture: Picture, model: PinnedModel, piece: Tile, room: TileRoom
) -> Steps[None]:
    """Fill the part of the result that a tile keeps: by one call, or by several if the server lacks the memory."""
    if room.takes(piece):
        batch = np.ascontiguousarray(picture.rgb[piece.source])[np.newaxis]
        try:
            outputs = yield from model.predict({_INPUT: batch}, outputs=[_OUTPUT])
        except OutOfMemory as error:
            room.shrink(piece, error)
        else:
            doubled = _doubled(outputs, batch.shape, model.name)
            result[piece.target(SCALE)] = doubled[0][piece.kept(SCALE)]
            return
    for part in room.parts(piece):
        yield from _fill(result, picture, model, part, room)


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
