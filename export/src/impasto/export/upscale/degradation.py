"""Low-resolution pictures: clean ones, and ones that blur, noise and JPEG have worn, as photos on the web are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

import numpy as np
from PIL import Image, ImageFilter

from impasto.export.upscale.evaluate import saved_as_jpeg
from impasto.export.upscale.photos import Pixels, shrink

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
"""The photons of a grey level: few of them make grainy pictures."""

MEASURED_QUALITY: Final = 50
"""The JPEG quality of the photos that networks for worn pictures are measured with."""

_HALVED: Final = 0.8
"""The part of the JPEGs that have half of the colours' resolution, as most photos on the web."""


def clean(pixels: Pixels, factor: int, _rng: np.random.Generator) -> Pixels:
    """Shrink a picture by Pillow's antialiased bicubic filter, and do nothing else."""
    return shrink(pixels, factor)


def worn(pixels: Pixels, factor: int, rng: np.random.Generator) -> Pixels:
    """Shrink a picture by one of several filters, add light noise, and save as JPEG.

    One picture in three is blurred before; half of them get no noise, a quarter Gaussian, a quarter Poisson noise; one
    in twenty is not saved as JPEG.
    """
    image = Image.fromarray(pixels)
    if rng.random() < 1 / 3:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0, _BLUR) * factor))
    sides = (image.width // factor, image.height // factor)
    low = np.asarray(image.resize(sides, _FILTERS[rng.integers(len(_FILTERS))]))
    low = _noisy(low, rng)
    if rng.random() < 0.05:
        return low
    quality = int(rng.integers(_QUALITIES[0], _QUALITIES[1] + 1))
    return saved_as_jpeg(low, level=quality, subsampling="4:2:0" if rng.random() < _HALVED else "4:4:4")


def _noisy(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    kind = rng.integers(4)
    if kind < 2:
        return pixels
    values = pixels.astype(np.float32)
    if kind == 2:
        values += rng.uniform(0, _NOISE) * rng.standard_normal(values.shape, np.float32)
    else:
        # The noise of n photons has the standard deviation sqrt(n); Gaussian noise of it is close, and quick to draw.
        values += np.sqrt(values / rng.uniform(*_PHOTONS)) * rng.standard_normal(values.shape, np.float32)
    return np.round(np.clip(values, 0, 255)).astype(np.uint8)


DEGRADATIONS: Final[Mapping[str, Degradation]] = MappingProxyType({"none": clean, "real": worn})
"""Degradations by name: `none` for clean pictures, `real` for photos from the web."""
