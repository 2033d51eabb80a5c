"""A picture reduced by Lanczos while its rows come."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client._jobs import Size
from impasto.client._models.upscale.joining import WriteRows

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
