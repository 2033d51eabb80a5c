"""A small picture for the requests that exporters make: the face of a cat, 83 x 101 pixels, CC0."""

from __future__ import annotations

from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def photo(height: int, width: int) -> NDArray[np.uint8]:
    """The top left of the picture, uint8 [height, width, 3]; mirrored at its ends where it is too small."""
    found = _pixels()
    beyond = [(0, max(0, wanted - has)) for wanted, has in zip((height, width), found.shape, strict=False)]
    return np.pad(found, [*beyond, (0, 0)], "symmetric")[:height, :width]


def painting(height: int, width: int) -> NDArray[np.uint8]:
    """Another picture, uint8 [height, width, 3], of other colours and edges: the photo turned, blue for red."""
    return np.ascontiguousarray(photo(width, height).swapaxes(0, 1)[::-1, :, ::-1])


@cache
def _pixels() -> NDArray[np.uint8]:
    """The file's pixels: of the cat of examples/photos at half its size, 101 columns from 60 and 83 rows from 40."""
    with (
        resources.files("impasto.export").joinpath("sample.png").open("rb") as file,
        Image.open(file) as image,
    ):
        return np.array(image.convert("RGB"))
