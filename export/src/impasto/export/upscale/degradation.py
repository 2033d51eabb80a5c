"""Low-resolution pictures: clean ones, and ones that blur, noise and JPEG have worn, as photos on the web are."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

import numpy as np
from PIL import Image, ImageFilter

from impasto.export.srcnn.photos import Pixels, shrink

Degradation: TypeAlias = Callable[[Pixels, int, np.random.Generator], Pixels]
"""Makes a picture's low-resolution version: the picture, the factor, and where its chances come from."""

_FILTERS: Final = (
    Image.Resampling.BICUBIC,
    Image.Resampling.LANCZOS,
    Image.Resampling.BILINEAR,
    Image.Resampling.BOX,
    Image.Resampling.HAMMING,
)
_QUALITIES: Final = (30, 95)
_BLUR: Final = 0.4
"""The largest standard deviation of the blur, in pixels of the low resolution."""

_NOISE: Final = 3.0
"""The largest standard deviation of the Gaussian noise, in grey levels."""

_PHOTONS: Final = (40.0, 400.0)
"""The photons that white stands for, in units of grey levels: few of them make grainy shadows."""

MEASURED_QUALITY: Final = 50
"""The JPEG quality of the photos that networks for worn pictures are measured with."""

_SUBSAMPLINGS: Final = (0, 2)  # 4:4:4, and 4:2:0, which most photos on the web have


def clean(pixels: Pixels, factor: int, _rng: np.random.Generator) -> Pixels:
    """Shrink a picture by Pillow's antialiased bicubic filter, and do nothing else."""
    return shrink(pixels, factor)


def worn(pixels: Pixels, factor: int, rng: np.random.Generator) -> Pixels:
    """Shrink a picture by one of several filters, half of the time blurred before; add light noise, and save as JPEG.

    A third of the pictures get no noise, a third Gaussian noise, and a third Poisson noise; one in ten is no JPEG.
    """
    image = Image.fromarray(pixels)
    if rng.random() < 0.5:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0, _BLUR) * factor))
    sides = (image.width // factor, image.height // factor)
    low = np.asarray(image.resize(sides, _FILTERS[rng.integers(len(_FILTERS))]))
    low = _noisy(low, rng)
    if rng.random() < 0.1:
        return low
    quality = int(rng.integers(_QUALITIES[0], _QUALITIES[1] + 1))
    return as_jpeg(low, quality, subsampling=_SUBSAMPLINGS[int(rng.random() < 0.8)])


def as_jpeg(pixels: Pixels, quality: int, *, subsampling: int = 2) -> Pixels:
    """Return a picture as it looks after it was saved as JPEG; `subsampling` is Pillow's: 0 is 4:4:4, 2 is 4:2:0."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=subsampling)
    with Image.open(file) as saved:
        return np.asarray(saved.convert("RGB"))


def _noisy(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    kind = rng.integers(3)
    if kind == 0:
        return pixels
    values = pixels.astype(np.float32)
    if kind == 1:
        values += rng.uniform(0, _NOISE) * rng.standard_normal(values.shape, np.float32)
    else:
        # The noise of n photons has the standard deviation sqrt(n); Gaussian noise of it is close, and quick to draw.
        photons = 255.0 * rng.uniform(*_PHOTONS)
        values += 255.0 * np.sqrt(values / 255.0 / photons) * rng.standard_normal(values.shape, np.float32)
    return np.round(np.clip(values, 0, 255)).astype(np.uint8)


DEGRADATIONS: Final[Mapping[str, Degradation]] = MappingProxyType({"none": clean, "real": worn})
"""Degradations by name: `none` for clean pictures, `real` for photos from the web."""
