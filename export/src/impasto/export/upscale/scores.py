"""The quality of enlarged photos beside bicubic interpolation, in decibels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from impasto.export.srcnn.evaluate import psnr
from impasto.export.srcnn.photos import Photo, Pixels, bicubic, crop_even, shrink


@dataclass(frozen=True)
class FactorScore:
    """The peak signal-to-noise ratios of one photo enlarged by one factor, over all pixels of R, G and B, in dB."""

    name: str
    factor: int
    bicubic: float
    network: float

    @property
    def gain(self) -> float:
        """The gain of the network over bicubic interpolation."""
        return self.network - self.bicubic


def score_factor(
    photos: Iterable[Photo],
    factor: int,
    upscale: Callable[[Pixels, int], Pixels],
    *,
    wear: Callable[[Pixels], Pixels] = lambda low: low,
) -> list[FactorScore]:
    """Shrink each photo, wear it, enlarge it by bicubic interpolation and by `upscale`, and compare with the original."""
    scores = []
    for photo in photos:
        original = crop_even(photo.pixels, factor)
        low = wear(shrink(original, factor))
        plain, refined = bicubic(low, factor), upscale(low, factor)
        scores.append(FactorScore(photo.name, factor, psnr(original, plain), psnr(original, refined)))
    return scores


def mean_gain(scores: Sequence[FactorScore]) -> float:
    """The mean gain over the photos that have one; NaN for none."""
    gains = [score.gain for score in scores if np.isfinite(score.gain)]
    return float(np.mean(gains)) if gains else float("nan")
