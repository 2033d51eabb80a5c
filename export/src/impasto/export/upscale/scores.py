"""The quality of enlarged photos beside bicubic interpolation: PSNR in decibels, and SSIM."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from impasto.export.srcnn.evaluate import luma, psnr
from impasto.export.srcnn.photos import Photo, Pixels, bicubic, crop_even, shrink

Upscale: TypeAlias = Callable[[Pixels, int], Pixels]
"""Enlarges a picture uint8 [H, W, 3] by a factor."""

Wear: TypeAlias = Callable[[Pixels], Pixels]
"""What happens to a small picture before it is enlarged."""

_SIGMA: Final = 1.5
_RADIUS: Final = 5


@dataclass(frozen=True)
class FactorScore:
    """One photo shrunk and enlarged by one factor, compared with the original over all pixels.

    Attributes:
        name: the photo's name.
        factor: the factor.
        bicubic: the peak signal-to-noise ratio of R, G and B by bicubic interpolation, in dB.
        network: the same by the network.
    """

    name: str
    factor: int
    bicubic: float
    network: float

    @property
    def gain(self) -> float:
        """The gain of the network over bicubic interpolation, in dB."""
        return self.network - self.bicubic


@dataclass(frozen=True)
class Comparison:
    """An original and its two enlargements, uint8 [H, W, 3]."""

    name: str
    factor: int
    original: Pixels
    bicubic: Pixels
    network: Pixels

    def score(self) -> FactorScore:
        """Return the peak signal-to-noise ratios."""
        ratios = (psnr(self.original, enlarged) for enlarged in (self.bicubic, self.network))
        return FactorScore(self.name, self.factor, *ratios)

    def ssims(self) -> tuple[float, float]:
        """Return the structural similarities, of bicubic interpolation and of the network."""
        return ssim(self.original, self.bicubic), ssim(self.original, self.network)


def compared(
    photos: Iterable[Photo], factor: int, upscale: Upscale, *, wear: Wear = lambda low: low
) -> Iterator[Comparison]:
    """Shrink each photo, wear it, and enlarge it again by bicubic interpolation and by `upscale`."""
    for photo in photos:
        original = crop_even(photo.pixels, factor)
        low = wear(shrink(original, factor))
        yield Comparison(photo.name, factor, original, bicubic(low, factor), upscale(low, factor))


def mean_gain(scores: Sequence[FactorScore]) -> float:
    """The mean gain in dB over the photos that have one; NaN for none."""
    gains = [score.gain for score in scores if math.isfinite(score.gain)]
    return float(np.mean(gains)) if gains else math.nan


def ssim(original: Pixels, other: Pixels) -> float:
    """Return the mean structural similarity of luma, at most 1.

    Wang, Bovik, Sheikh and Simoncelli, "Image Quality Assessment: From Error Visibility to Structural Similarity"
    (2004), with its window of 11 pixels, which must fit in the picture.
    """
    x, y = luma(original), luma(other)
    first, second = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mean_x, mean_y = _blurred(x), _blurred(y)
    variance_x, variance_y = _blurred(x * x) - mean_x**2, _blurred(y * y) - mean_y**2
    covariance = _blurred(x * y) - mean_x * mean_y
    likeness = (2 * mean_x * mean_y + first) * (2 * covariance + second)
    return float(np.mean(likeness / ((mean_x**2 + mean_y**2 + first) * (variance_x + variance_y + second))))


def _blurred(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weigh by a Gaussian window where it fits."""
    weights = np.exp(-0.5 * (np.arange(-_RADIUS, _RADIUS + 1) / _SIGMA) ** 2)
    weights /= weights.sum()
    for _ in range(2):
        length = len(values) - 2 * _RADIUS
        parts = [weight * values[start : start + length] for start, weight in enumerate(weights)]
        values = np.sum(parts, axis=0).T
    return values
