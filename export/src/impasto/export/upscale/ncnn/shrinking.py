"""Shrinking by cubic interpolation as ncnn's `Interp` does it."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from impasto.export.upscale.ncnn.view import View

_STEEPNESS: Final = -0.75


class CubicShrinking:
    """Shrinks pictures to `part` of their size, by the kernel of Keys with a = -3/4, without antialiasing.

    The outermost pixels go on beyond the edges. Sides must be multiples of the part's denominator.

    Args:
        part: the new size by the old, less than 1.
    """

    def __init__(self, part: Fraction) -> None:
        self._kept, self._of = part.numerator, part.denominator
        places = [Fraction(2 * phase + 1, 2) / part - Fraction(1, 2) for phase in range(self._kept)]
        self._first = min(int(place // 1) for place in places) - 1
        self._last = max(int(place // 1) for place in places) + 2
        weights = np.zeros((self._kept, self._last - self._first + 1))
        for phase, place in enumerate(places):
            for tap in range(-1, 3):
                column = int(place // 1) + tap - self._first
                weights[phase, column] = _keys(abs(tap - float(place % 1)))
        self._weights = weights

    def view(self, view: View) -> View:
        """Return the view of the shrunk map, for that of the map whose sides are multiples as said."""
        taps = [(self._first + np.flatnonzero(weights)).tolist() for weights in self._weights]
        blocks = range(view.scale // self._of)
        return view.seen([block * self._of + tap for tap in phase] for block in blocks for phase in taps)

    def __call__(self, image: tf.Tensor, channels: int) -> tf.Tensor:
        """Return float32 [B, H * part, W * part, channels]."""
        # One pixel at most is missing on each side, and the symmetric padding by one pixel repeats it.
        padding = (-self._first, self._last - self._of + 1)
        padded = tf.pad(image, [[0, 0], padding, padding, [0, 0]], "SYMMETRIC")
        shrunk = tf.nn.conv2d(padded, self._kernel(channels), self._of, "VALID")
        return tf.nn.depth_to_space(shrunk, self._kept) if self._kept > 1 else shrunk

    def _kernel(self, channels: int) -> NDArray[np.float32]:
        both = np.einsum("pi,qj->ijpq", self._weights, self._weights)
        window = self._weights.shape[1]
        phases = both.reshape(window, window, self._kept**2)
        kernel = np.einsum("ijp,cd->ijcpd", phases, np.eye(channels))
        return kernel.reshape(window, window, channels, -1).astype(np.float32)


def _keys(distance: float) -> float:
    """The cubic kernel, equation 4 of Keys (1981) for any a."""
    a = _STEEPNESS
    if distance <= 1:
        return ((a + 2) * distance - (a + 3)) * distance**2 + 1
    return a * (((distance - 5) * distance + 8) * distance - 4) if distance < 2 else 0.0
