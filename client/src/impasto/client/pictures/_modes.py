"""PIL images of any mode, also of more than 8 bits a channel, to the four 8-bit ones that a Picture is made of."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client.errors import UnsupportedImage
from impasto.client.pictures._decode import damage
from impasto.client.pictures._exif import ORIENTATION, exif_of, several
from impasto.client.pictures._metadata import carried, lab_to_srgb, to_srgb
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


# What turns the stored pixels upright, by EXIF's orientation.
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def upright_8bit(
    image: Image.Image, notes: Notes, *, origin: Image.Image | None = None
) -> tuple[Image.Image, dict[str, Any]]:
    """The image the right way up, as L, LA, RGB or RGBA, and what of its metadata still holds for it.

    Args:
        image: decoded.
        notes: what it is called, and where it is said what was left out.
        origin: the image that has the metadata, if that is another one.

    Raises:
        UnsupportedImage: a mode without a clear 8-bit meaning.
        TruncatedImage: the pixels cannot be converted.
    """
    origin = image if origin is None else origin
    exif = exif_of(origin, notes)
    info = carried(origin, image.mode, exif, notes)
    with damage(notes.name, "its pixels cannot be converted"):  # a palette that is not there, say
        plain = _in_8bit(image, info, notes)
    orientation = None if exif is None else exif.get(ORIENTATION)
    turn = _TURNS.get(orientation) if isinstance(orientation, int) else None
    return plain if turn is None else plain.transpose(turn), info


def _in_8bit(image: Image.Image, info: dict[str, Any], notes: Notes) -> Image.Image:
    if image.mode == "CMYK":
        return _from_cmyk(
            image, info.pop("icc_profile", None), notes
        )  # it describes inks, and the result has none
    if image.mode == "LAB":
        info.pop("icc_profile", None)
        return _from_lab(image, notes.name)
    gray = image.mode in ("1", "L", *WIDE)
    if not gray and image.mode != "RGB":
        return image.convert(_plain_mode(image, notes.name))
    hidden = _hidden(image, notes)
    if hidden is None and image.mode in ("L", "RGB"):
        return image
    plain = (
        Image.fromarray(tones(image, notes)) if image.mode in WIDE else image.convert("L" if gray else "RGB")
    )
    if hidden is not None:
        plain.putalpha(Image.fromarray(np.where(hidden, 0, 255).astype(np.uint8)))
    return plain


def _hidden(image: Image.Image, notes: Notes) -> NDArray[np.bool_] | None:
    """The pixels of the colour that the file calls transparent, compared before anything is scaled."""
    key = image.info.get("transparency")
    if key is None:
        return None
    wanted = _as_tuple(key)
    pixels = np.asarray(image)
    planes = pixels[..., np.newaxis] if pixels.ndim == 2 else pixels
    if len(wanted) != planes.shape[2] or image.mode == "F":
        notes.say("its transparent colour is none of its colours and is left out")
        return None
    if image.mode == "1":
        wanted = (bool(wanted[0]),)
    hidden: NDArray[np.bool_] = (planes == np.asarray(wanted)).all(axis=2)
    return hidden


def _as_tuple(key: Any) -> tuple[int, ...]:
    """One number for each channel; nothing for what is no colour."""
    return tuple(part for part in several(key) if isinstance(part, int))


def _plain_mode(image: Image.Image, name: str) -> str:
    mode = image.mode
    if mode in ("La", "LA"):
        return "LA"
    if mode in ("P", "PA", "RGBX", "RGBA", "RGBa", "YCbCr", "HSV"):
        return "RGBA" if image.has_transparency_data or mode in ("PA", "RGBa") else "RGB"
    raise UnsupportedImage(
        f"{name} has pixels ({mode}) without a clear 8-bit meaning; convert it to colour (RGB) or gray (L) first"
    )


def _from_cmyk(image: Image.Image, profile: bytes | None, notes: Notes) -> Image.Image:
    if profile is None:  # or a damaged one; Pillow's plain formula needs none
        return image.convert("RGB")
    converted = to_srgb(image, profile, "RGB")
    if converted is None:
        notes.say("its colour profile cannot be used; its inks are converted without one")
        return image.convert("RGB")
    converted.info.pop("icc_profile", None)
    return converted


def _from_lab(image: Image.Image, name: str) -> Image.Image:
    converted = lab_to_srgb(image)
    if converted is None:
        raise UnsupportedImage(
            f"{name} has Lab colours that cannot be converted; save it with RGB colours first"
        )
    converted.info.pop("icc_profile", None)
    return converted
