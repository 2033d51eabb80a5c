"""Pixels of more than 8 bits in one channel, as 8-bit tones: scaled by the range that they are of."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client.errors import UnsupportedImage
from impasto.client.pictures._exif import several
from impasto.client.pictures._notes import Notes

WIDE: Final = ("I", "I;16", "I;16L", "I;16B", "I;16N", "F")

_BAND: Final = 256
_WHITES: Final = (1.0, 255.0, 65535.0)
_DARKEST: Final = 16
"""A picture whose brightest pixel is darker than this part of white was not meant for that white."""

# TIFF's tags, TIFF 6.0, section 8: bits a sample, what zero means, whether samples have a sign.
_BITS: Final = 258
_PHOTOMETRIC: Final = 262
_FORMAT: Final = 339
_WHITE_IS_ZERO: Final = 0


def tones(image: Image.Image, notes: Notes) -> NDArray[np.uint8]:
    """Scale the pixels of an image in one of the modes `WIDE` to 0 to 255.

    16 bits run from 0 to 65535, 12 bits in a TIFF file from 0 to 4095. Other whole numbers and floating point have no
    range of their own: white is 1, 255 or 65535, the least that is not below the brightest pixel. Where that would
    leave the picture nearly black, and where there are negative numbers, the picture's own range is stretched.

    Raises:
        UnsupportedImage: no pixel is a finite number.
    """
    values = np.asarray(image)
    tags = getattr(image, "tag_v2", {})
    if image.mode == "I" and _first(tags.get(_BITS)) == 32 and _first(tags.get(_FORMAT, 1)) == 1:
        values = values.view(np.uint32)  # Pillow reads them as signed
    if image.mode.startswith("I;16"):
        most = 4095 if _first(tags.get(_BITS)) == 12 else 65535
        inverted = _first(tags.get(_PHOTOMETRIC)) == _WHITE_IS_ZERO  # which Pillow does for 8 bits only
        return _scaled(values, most, 0) if inverted else _scaled(values, 0, most)
    low, high = _extremes(values, notes)
    if image.mode == "I" and low >= 0 and high <= 65535:
        return _scaled(values, 0, 65535)
    black, white = _range(low, high)
    if white != 1:
        notes.say(
            f"its pixels run from {low:g} to {high:g}; {black:g} is taken as black and {white:g} as white"
        )
    return _scaled(values, black, white)


def _extremes(values: NDArray[Any], notes: Notes) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    if np.isfinite(low) and np.isfinite(high):
        return low, high
    finite = values[np.isfinite(values)]
    if not finite.size:
        raise UnsupportedImage(f"{notes.name} has no pixel that is a finite number")
    notes.say("some of its pixels are not finite numbers; these are black, or white where they are infinite")
    return float(finite.min()), float(finite.max())


def _range(low: float, high: float) -> tuple[float, float]:
    """The values that become black and white."""
    if low < 0:
        return low, high if high > low else low + 1
    white = next((white for white in _WHITES if high <= white), high)
    return 0.0, white if white == 1 or high * _DARKEST >= white else high


def _scaled(values: NDArray[Any], black: float, white: float) -> NDArray[np.uint8]:
    result = np.empty(values.shape, np.uint8)
    for top in range(0, len(values), _BAND):  # floating point only for some rows at once
        rows = slice(top, top + _BAND)
        with np.errstate(invalid="ignore"):  # a cast of some kinds of NaN
            exact = (values[rows].astype(np.float64) - black) * (255 / (white - black))
        rounded = np.rint(np.nan_to_num(exact, nan=0, posinf=255, neginf=0).clip(0, 255))
        result[rows] = rounded.astype(np.uint8)
    return result


def _first(value: Any) -> Any:
    return next(iter(several(value)), None)
