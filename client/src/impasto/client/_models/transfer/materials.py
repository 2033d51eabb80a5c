"""The pictures that a transfer is made of, read and brought near the sizes that they are needed in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client._jobs import Size
from impasto.client._jobs.values import digest
from impasto.client._models.transfer.recipes import CONTENT, NOISE
from impasto.client.pictures import ImageSource, Picture, read_picture

# The model resizes bilinearly without antialiasing, as the usual recipe does. That sees every pixel down to a half.
_LARGEST_RATIO = 2


class Materials(NamedTuple):
    """The pictures that a transfer is made of.

    Attributes:
        content: the picture to paint.
        styles: at least one, uint8 [h, w, 3].
        start: the picture to begin with, uint8 [h, w, 3]; None for the content or noise.
        noise: whether to begin with noise.
        mask: how strongly each place is painted, uint8 [h, w]; None for all of it.
    """

    content: Picture
    styles: tuple[NDArray[np.uint8], ...]
    start: NDArray[np.uint8] | None
    noise: bool
    mask: NDArray[np.uint8] | None

    @property
    def size(self) -> Size:
        """Height and width of the content."""
        height, width = self.content.rgb.shape[:2]
        return height, width

    def identity(self) -> dict[str, object]:
        """The pictures as JSON values."""
        return {
            "picture": digest(self.content.rgb),
            "styles": [digest(style) for style in self.styles],
            "start": NOISE if self.noise else CONTENT if self.start is None else digest(self.start),
            "mask": None if self.mask is None else digest(self.mask),
        }


def read_materials(
    content: ImageSource,
    styles: Sequence[ImageSource],
    *,
    start: ImageSource = CONTENT,
    mask: ImageSource | None = None,
    max_pixels: int,
) -> Materials:
    """Read all pictures.

    Raises:
        ImageError, OSError: the errors of `read_picture`.
    """

    def read(source: ImageSource) -> NDArray[np.uint8]:
        return read_picture(source, max_pixels=max_pixels).rgb

    is_word = isinstance(start, str) and start in (CONTENT, NOISE)
    return Materials(
        content=read_picture(content, max_pixels=max_pixels),
        styles=tuple(read(source) for source in styles),
        start=None if is_word else read(start),
        noise=is_word and start == NOISE,
        mask=None if mask is None else gray(read(mask)),
    )


def gray(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the luma of uint8 [h, w, 3]."""
    return np.asarray(Image.fromarray(rgb).convert("L"))


def near(rgb: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """Return a picture as it is sent to be resized to `size`: averaged where it is more than twice as large.

    Args:
        rgb: uint8 [h, w, 3].
        size: height and width.
    """
    factor = -(-max(rgb.shape[:2]) // (_LARGEST_RATIO * max(size)))
    return rgb if factor <= 1 else np.asarray(Image.fromarray(rgb).reduce(factor))


def resized(pixels: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """Return uint8 [h, w] or [h, w, 3] at height and width `size`, antialiased."""
    height, width = size
    if pixels.shape[:2] == size:
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))
