"""The range of numbers that a model of floats takes for a picture's 0 to 255, or gives for it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_WHITE: Final = 255.0


@dataclass(frozen=True)
class PixelRange:
    """The numbers for black and for white."""

    black: float
    white: float

    @classmethod
    def parse(cls, text: str) -> PixelRange:
        """Read `0..1`. Raises ValueError, which says what it must be."""
        low, dots, high = text.partition("..")
        try:
            black, white = float(low), float(high)
        except ValueError:
            black = white = math.nan
        if not dots or not (math.isfinite(black) and math.isfinite(white)) or black == white:
            raise ValueError(f"{text!r} is no range of pixels; write it as 0..255, 0..1 or -1..1")
        return cls(black, white)

    def of_pixels(self, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return the model's numbers for a picture's."""
        return self.black + pixels.astype(np.float64) * ((self.white - self.black) / _WHITE)

    def to_pixels(self, numbers: NDArray[Any]) -> NDArray[np.uint8]:
        """Return the picture's for the model's, rounded; beyond the range they are black or white, and so is NaN."""
        scaled = (numbers.astype(np.float64) - self.black) * (_WHITE / (self.white - self.black))
        return np.nan_to_num(np.rint(np.clip(scaled, 0, _WHITE))).astype(np.uint8)
