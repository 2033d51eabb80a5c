"""The places that the rows of an enlarged picture go to: an image, or a sink of rows."""

from __future__ import annotations

from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client._jobs import Size
from impasto.client._models.upscale.joining import Rows
from impasto.client.pictures import Picture, RowSink

ResultT_co = TypeVar("ResultT_co", covariant=True)


class Target(Protocol[ResultT_co]):
    """Takes the rows of a picture's result."""

    def write(self, rows: NDArray[np.uint8]) -> None:
        """Take the next rows uint8 [n, W, 3], from top to bottom."""
        ...

    def result(self) -> ResultT_co:
        """Return the result, when all rows are there."""
        ...


class ToImage:
    """Keeps the rows, for an image like the picture.

    Args:
        picture: the picture that is enlarged.
        size: height and width of the result.
    """

    def __init__(self, picture: Picture, size: Size) -> None:
        self._picture, self._rows = picture, Rows(*size)

    def write(self, rows: NDArray[np.uint8]) -> None:
        """Take the next rows."""
        self._rows.write(rows)

    def result(self) -> Image.Image:
        """Return the image."""
        return self._picture.rebuild(self._rows.array)


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
