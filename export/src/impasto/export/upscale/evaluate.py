"""The gain of upscalers over bicubic interpolation, on photos that are shrunk and enlarged again."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from PIL import Image

from impasto.export.errors import ExportError
from impasto.export.upscale.photos import Photo, bicubic, crop_to_multiple, shrink
from impasto.export.upscale.quality import Pixels, Quality, quality

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
