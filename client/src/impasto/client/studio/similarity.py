"""The nearness of a result to an original: PSNR of the RGB values, SSIM of the brightness (Wang et al., 2004)."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

_WINDOW: Final = 11
_SIGMA: Final = 1.5
_C1: Final = (0.01 * 255) ** 2
_C2: Final = (0.03 * 255) ** 2
_MOST_PIXELS: Final = 16_000_000
"""SSIM needs some forty bytes a pixel."""


def psnr(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float | None:
    """Return the peak signal-to-noise ratio in decibels; None for equal pictures, whose ratio is infinite."""
    squares = sum(float(np.square(a.astype(np.float64) - b).sum()) for a, b in zip(one, other, strict=True))
    return None if not squares else round(10 * math.log10(255**2 * one.size / squares), 3)


def ssim(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float | None:
    """Return the structural similarity; None for pictures too small or too large for it."""
    height, width = one.shape[:2]
    if min(height, width) < _WINDOW or height * width > _MOST_PIXELS:
        return None
    a, b = _brightness(one), _brightness(other)
    mean_a, mean_b = _blurred(a), _blurred(b)
    var_a, var_b = _blurred(a * a) - mean_a**2, _blurred(b * b) - mean_b**2
    covariance = _blurred(a * b) - mean_a * mean_b
    above = (2 * mean_a * mean_b + _C1) * (2 * covariance + _C2)
    below = (mean_a**2 + mean_b**2 + _C1) * (var_a + var_b + _C2)
    return round(float(np.mean(above / below)), 4)


def _brightness(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    red, green, blue = np.moveaxis(picture.astype(np.float64), -1, 0)
    brightness: NDArray[np.float64] = 0.299 * red + 0.587 * green + 0.114 * blue
    return brightness


def _blurred(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the means under a Gaussian window, where it fits."""
    offsets = np.arange(_WINDOW) - _WINDOW // 2
    kernel = np.exp(-(offsets**2) / (2 * _SIGMA**2))
    kernel /= kernel.sum()
    windows = np.lib.stride_tricks.sliding_window_view(values, _WINDOW, axis=0)
    rows: NDArray[np.float64] = np.einsum("hwk,k->hw", windows, kernel)
    windows = np.lib.stride_tricks.sliding_window_view(rows, _WINDOW, axis=1)
    blurred: NDArray[np.float64] = np.einsum("hwk,k->hw", windows, kernel)
    return blurred
