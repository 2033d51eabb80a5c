"""The likeness of two pictures in numbers: peak signal-to-noise ratio and structural similarity."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

_LUMA: Final = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601

_LEVELS: Final = 255.0
_RADIUS: Final = 5
_SIGMA: Final = 1.5


@dataclass(frozen=True)
class Quality:
    """A picture's likeness to its original.

    Attributes:
        psnr_rgb: the peak signal-to-noise ratio over all pixels of R, G and B together, in dB.
        psnr_y: that of luma alone.
        ssim: the mean structural similarity of luma, at most 1; None where it was not asked for.
    """

    psnr_rgb: float
    psnr_y: float
    ssim: float | None = None

    @property
    def is_finite(self) -> bool:
        """True if all of them are numbers: two equal pictures have infinite ratios."""
        return all(math.isfinite(value) for value in (self.psnr_rgb, self.psnr_y, self.ssim or 0.0))

    def as_dict(self, *, digits: int | None = None) -> dict[str, float | None]:
        """The measures by their names, rounded if `digits` is given; None, JSON's null, for one that is no number."""
        values: dict[str, Any] = asdict(self)
        return {
            name: None if value is None or not math.isfinite(value) else _rounded(value, digits)
            for name, value in values.items()
        }


def quality(original: Pixels, other: Pixels, *, with_ssim: bool = False) -> Quality:
    """Measure a picture uint8 [H, W, 3] against its original of the same size."""
    lumas = luma(original), luma(other)
    return Quality(psnr(original, other), psnr(*lumas), ssim(*lumas) if with_ssim else None)


def psnr(original: NDArray[np.generic], other: NDArray[np.generic]) -> float:
    """10 log10(255^2 / mean squared error) in dB; infinite for equal arrays."""
    error = np.mean(np.square(original.astype(np.float64) - other.astype(np.float64)))
    return math.inf if error == 0 else float(10 * np.log10(_LEVELS**2 / error))


def luma(pixels: Pixels) -> NDArray[np.float64]:
    """The Y of BT.601 in 0..255 of an RGB image [H, W, 3]."""
    result: NDArray[np.float64] = pixels @ _LUMA
    return result


def ssim(one: NDArray[np.floating[Any]], other: NDArray[np.floating[Any]]) -> float:
    """The mean structural similarity of two grey pictures [H, W] in 0..255, at most 1; NaN below 11 pixels.

    Wang, Bovik, Sheikh and Simoncelli, "Image Quality Assessment: From Error Visibility to Structural Similarity"
    (2004), equation 13, with their constants 0.01 and 0.03: local means, variances and covariance are weighted by a
    Gaussian of 11 x 11 pixels with a deviation of 1.5, and the mean is over the places where it fits.
    """
    if min(one.shape) < 2 * _RADIUS + 1:
        return math.nan
    x, y = one.astype(np.float64), other.astype(np.float64)
    mean_x, mean_y = _blurred(x), _blurred(y)
    variances = _blurred(x * x) - mean_x**2 + _blurred(y * y) - mean_y**2
    covariance = _blurred(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * _LEVELS) ** 2, (0.03 * _LEVELS) ** 2
    above = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    below = (mean_x**2 + mean_y**2 + c1) * (variances + c2)
    return float(np.mean(above / below))


def _blurred(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """The weighted means [H - 10, W - 10] of all windows of 11 x 11 pixels."""
    weights = np.exp(-(np.arange(-_RADIUS, _RADIUS + 1) ** 2) / (2 * _SIGMA**2))
    weights /= weights.sum()
    for _ in range(2):  # the rows, then the columns, which are the rows of the transposed picture
        windows = len(image) - 2 * _RADIUS
        image = sum(weight * image[tap : tap + windows] for tap, weight in enumerate(weights)).T
    return image


def _rounded(value: float, digits: int | None) -> float:
    return value if digits is None else round(value, digits)
