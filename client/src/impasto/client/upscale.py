"""The upscaling job: a picture through SRCNN, in overlapping tiles where it is large."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from PIL import Image

from impasto.client._calls import ModelRef, Outputs, predict_with_version_call
from impasto.client._jobs import Job, Progress
from impasto.client._pinning import ask, begun_again, pinned_to
from impasto.client._prepared import Prepared
from impasto.client.errors import DecodeError
from impasto.client.pictures import ImageSource, Picture, read_picture
from impasto.client.signatures import SERVING_DEFAULT, SRCNN
from impasto.client.tiling import SRCNN_OVERLAP, Tile, plan

SCALE: Final = 2
TILE: Final = 512
"""Default side of a tile in pixels: it takes the server 0.3 GB, where 12 megapixels at once take 5 GB."""

_SIGNATURE: Final = SRCNN.signatures[SERVING_DEFAULT]
_INPUT: Final = _SIGNATURE.inputs[0].name
_OUTPUT: Final = _SIGNATURE.outputs[0].name


def upscale_job(picture: Picture, ref: ModelRef, *, tile: int | None = TILE) -> Job[Image.Image]:
    """Double a picture's width and height, one Predict call a tile.

    The version that answers the first tile is asked for by the others, too. If it goes away in the middle, the picture
    is begun again with the one that is served then, and the progress with it; twice at most.

    Args:
        picture: of any size; alpha is resized bicubically, gray stays gray.
        ref: a model with SRCNN's contract.
        tile: the side of a tile in pixels, at least 11; None sends the picture whole. The result is the same.

    Raises:
        ValueError: `tile` is too small.
        DecodeError: the model's answer is not the doubled tile.
        VersionGone: three versions went away in the middle of the picture.
    """
    height, width = picture.rgb.shape[:2]
    tiles = plan(
        height, width, tile=max(height, width, TILE) if tile is None else tile, overlap=SRCNN_OVERLAP
    )

    def attempt() -> Job[Image.Image]:
        return _upscaled(picture, ref, tiles)

    return (yield from begun_again(attempt, ref.name))


def _upscaled(picture: Picture, ref: ModelRef, tiles: Sequence[Tile]) -> Job[Image.Image]:
    """The picture, all of it by the version that answers the first tile."""
    height, width = picture.rgb.shape[:2]
    result = np.empty((height * SCALE, width * SCALE, 3), np.uint8)
    for done, piece in enumerate(tiles):
        yield Progress(done, len(tiles))
        batch = np.ascontiguousarray(picture.rgb[piece.source])[np.newaxis]
        call = predict_with_version_call(ref, {_INPUT: batch}, outputs=[_OUTPUT])
        version, outputs = yield from ask(call, ref)
        ref = pinned_to(version, ref)
        doubled = _doubled(outputs, batch.shape, ref.name)
        result[piece.target(SCALE)] = doubled[0][piece.kept(SCALE)]
    yield Progress(len(tiles), len(tiles))
    return picture.rebuild(result)


def prepare_upscale(
    image: ImageSource, ref: ModelRef, *, tile: int | None, max_pixels: int
) -> Prepared[Image.Image]:
    """A picture to double. Arguments and errors as of `Client.upscale`."""
    return Prepared(upscale_job(read_picture(image, max_pixels=max_pixels), ref, tile=tile))


def _doubled(
    outputs: Outputs, sent: tuple[int, ...], model: str
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
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
