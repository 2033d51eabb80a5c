"""The gain over bicubic interpolation, in decibels."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from impasto.export.errors import ExportError
from impasto.export.srcnn.photos import Photo, bicubic, shrink

Pixels: TypeAlias = NDArray[np.uint8]

_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


@dataclass(frozen=True)
class Score:
    """Peak signal-to-noise ratios of one photo against its original, over all pixels, in dB."""

    name: str
    bicubic_rgb: float
    srcnn_rgb: float
    bicubic_y: float
    srcnn_y: float

    @property
    def gain_rgb(self) -> float:
        """The gain of SRCNN over bicubic on R, G and B together."""
        return self.srcnn_rgb - self.bicubic_rgb

    @property
    def is_finite(self) -> bool:
        """True if all of them are numbers. A blank photo is enlarged without an error, which is infinitely good."""
        return all(map(math.isfinite, (self.bicubic_rgb, self.srcnn_rgb, self.bicubic_y, self.srcnn_y)))

    def as_dict(self, *, digits: int | None = None) -> dict[str, float | None]:
        """The ratios by their names, rounded if `digits` is given; None, JSON's null, for one that is no number."""
        ratios: dict[str, float] = {name: value for name, value in vars(self).items() if name != "name"}
        return {
            name: (value if digits is None else round(value, digits)) if math.isfinite(value) else None
            for name, value in ratios.items()
        }

    @property
    def gain_y(self) -> float:
        """The gain of SRCNN over bicubic on luma alone."""
        return self.srcnn_y - self.bicubic_y


def score_photos(photos: Iterable[Photo], upscale: Callable[[Pixels], Pixels]) -> list[Score]:
    """Halve each photo, double it with bicubic and with `upscale`, and compare both with the original."""
    scores = []
    for photo in photos:
        low = shrink(photo.pixels)
        plain, refined = bicubic(low), upscale(low)
        scores.append(
            Score(
                photo.name,
                bicubic_rgb=psnr(photo.pixels, plain),
                srcnn_rgb=psnr(photo.pixels, refined),
                bicubic_y=psnr(luma(photo.pixels), luma(plain)),
                srcnn_y=psnr(luma(photo.pixels), luma(refined)),
            )
        )
    return scores


def psnr(original: NDArray[np.generic], other: NDArray[np.generic]) -> float:
    """10 log10(255^2 / mean squared error) in dB; infinite for equal arrays."""
    error = np.mean(np.square(original.astype(np.float64) - other.astype(np.float64)))
    return float("inf") if error == 0 else float(10 * np.log10(255.0**2 / error))


def luma(pixels: Pixels) -> NDArray[np.float64]:
    """The Y of BT.601 in 0..255 of an RGB image [H, W, 3]."""
    result: NDArray[np.float64] = pixels @ _LUMA
    return result


def mean_gain(scores: Sequence[Score]) -> float:
    """The mean RGB gain in dB over the photos that have one; NaN for none."""
    return _mean([score.gain_rgb for score in scores if score.is_finite])


def mean_gain_y(scores: Sequence[Score]) -> float:
    """The mean gain on luma in dB over the photos that have one; NaN for none."""
    return _mean([score.gain_y for score in scores if score.is_finite])


def require_gain(scores: Sequence[Score], least: float) -> None:
    """Check that the mean gain is at least so many dB, over photos that all have one.

    Raises:
        ExportError: it is less, or some photo has no gain: what cannot be measured does not pass.
    """
    blank = [score.name for score in scores if not score.is_finite]
    if blank or not scores:
        raise ExportError(
            f"--require-gain cannot be judged: no gain can be measured on {', '.join(blank) or 'no photos'} "
            "(enlarged without any error, as a blank page is); leave such photos out"
        )
    gain = mean_gain(scores)
    if not gain >= least:
        raise ExportError(f"the mean gain is {gain:+.2f} dB, below --require-gain {least:+.2f} dB")


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
