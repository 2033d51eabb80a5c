"""The gain of upscalers over bicubic interpolation, on photos that are shrunk and enlarged again."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.export.errors import ExportError
from impasto.export.upscale.photos import Photo, bicubic, crop_to_multiple, shrink

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


Upscale: TypeAlias = Callable[[Pixels], Pixels]
"""Enlarges a picture uint8 [H, W, 3] by the factor that is measured."""

Wear: TypeAlias = Callable[[Pixels], Pixels]
"""Makes a small picture worse, as the web does, before it is enlarged."""


@dataclass(frozen=True)
class Score:
    """The quality of one photo that was shrunk and enlarged again.

    Attributes:
        name: the photo's.
        factor: by which it was shrunk and enlarged.
        bicubic: the quality by bicubic interpolation.
        model: that by the upscaler.
    """

    name: str
    factor: int
    bicubic: Quality
    model: Quality

    @property
    def gain_rgb(self) -> float:
        """The upscaler's gain over bicubic on R, G and B together, in dB."""
        return self.model.psnr_rgb - self.bicubic.psnr_rgb

    @property
    def gain_y(self) -> float:
        """The upscaler's gain over bicubic on luma alone, in dB."""
        return self.model.psnr_y - self.bicubic.psnr_y

    @property
    def is_finite(self) -> bool:
        """True if there is a gain. A blank photo is enlarged without an error, which is infinitely good."""
        return self.bicubic.is_finite and self.model.is_finite


@dataclass(frozen=True)
class Task:
    """A photo, made small, which is to be enlarged; and the quality of bicubic interpolation at it."""

    photo: Photo
    factor: int
    small: Pixels
    bicubic: Quality
    with_ssim: bool

    def score(self, upscale: Upscale) -> Score:
        """Measure an upscaler at it."""
        enlarged = quality(self.photo.pixels, upscale(self.small), with_ssim=self.with_ssim)
        return Score(self.photo.name, self.factor, self.bicubic, enlarged)


def tasks(
    photos: Iterable[Photo], factor: int, *, wear: Wear | None = None, with_ssim: bool = False
) -> Iterator[Task]:
    """Shrink photos, after their sides are cut to multiples of the factor; several upscalers may then be measured.

    Raises:
        ExportError: a photo has fewer pixels to a side than the factor.
    """
    for photo in photos:
        original = crop_to_multiple(photo.pixels, factor)
        if 0 in original.shape:
            raise ExportError(f"photo {photo.name} is less than {factor} pixels wide or high; leave it out")
        small = shrink(original, factor)
        if wear is not None:
            small = wear(small)
        plain = quality(original, bicubic(small, factor), with_ssim=with_ssim)
        yield Task(Photo(photo.name, original), factor, small, plain, with_ssim)


def score_photos(photos: Iterable[Photo], upscale: Upscale, factor: int = 2) -> list[Score]:
    """Shrink each photo, enlarge it by bicubic and by `upscale`, and compare both with the original."""
    return [task.score(upscale) for task in tasks(photos, factor)]


def saved_as_jpeg(pixels: Pixels, *, level: int, subsampling: str = "4:2:0") -> Pixels:
    """Return a picture as it is read after Pillow has saved it as a JPEG of this quality, 1 to 100."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=level, subsampling=subsampling)
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))


def mean_gain(scores: Sequence[Score]) -> float:
    """The mean RGB gain in dB over the photos that have one; NaN for none."""
    return mean([score.gain_rgb for score in scores if score.is_finite])


def mean(values: Sequence[float]) -> float:
    """The mean; NaN for none."""
    return float(np.mean(values)) if values else float("nan")


def require_gain(scores: Sequence[Score], least: float, *, what: str) -> None:
    """Check that the mean gain is at least so many dB, over photos that all have one.

    Args:
        scores: an upscaler's at one factor.
        least: the least mean gain.
        what: the upscaler and the factor, for messages.

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
        raise ExportError(f"the mean gain of {what} is {gain:+.2f} dB, below --require-gain {least:+.2f} dB")
