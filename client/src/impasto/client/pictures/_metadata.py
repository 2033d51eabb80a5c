"""The data that a picture carries along beside its pixels: its colour profile, its resolution and its EXIF data."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from PIL import Image

from impasto.client.pictures._exif import kept_exif
from impasto.client.pictures._notes import Notes

CARRIED: Final = ("icc_profile", "dpi", "exif")
"""The keys of an image's info that are carried into a result."""

MAX_DPI: Final = 65_535
"""JPEG has no room for more pixels an inch, and no picture has that many."""

# EXIF's and TIFF's tag, and what JFIF counts dots by: inches and centimetres.
_X_RESOLUTION: Final = 0x011A
_JFIF_UNITS: Final = (1, 2)

_MAX_PROFILE: Final = 16 * 2**20

# Of ICC.1:2022, 7.2: profiles of devices and colour spaces; links, named colours and abstract ones convert no picture.
_CLASSES: Final = (b"scnr", b"mntr", b"prtr", b"spac")
_SPACES: Final[Mapping[str, bytes]] = {
    **dict.fromkeys(("1", "L", "LA", "La", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"), b"GRAY"),
    **dict.fromkeys(("RGB", "RGBA", "RGBa", "RGBX", "P", "PA", "YCbCr", "HSV"), b"RGB "),
    "CMYK": b"CMYK",
    "LAB": b"Lab ",
}


def carried(image: Image.Image, mode: str, exif: Image.Exif | None, notes: Notes) -> dict[str, Any]:
    """Return what of an image is worth carrying, validated: `icc_profile`, `dpi` and `exif`, as far as present.

    Args:
        image: has them in its info.
        mode: of its pixels.
        exif: its EXIF data.
        notes: where it is said what was left out.
    """
    info: dict[str, Any] = {}
    profile = fitting_profile(image.info.get("icc_profile"), mode, notes)
    if profile is not None:
        info["icc_profile"] = profile
    resolution = usable_dpi(
        _own_dpi(image, exif), notes, unset=image.format in ("BMP", "DIB", "CUR", "PCX", "DCX")
    )
    if resolution is not None:
        info["dpi"] = resolution
    kept = None if exif is None else kept_exif(exif, notes)
    if kept is not None:
        info["exif"] = kept
    return info


def _own_dpi(image: Image.Image, exif: Image.Exif | None) -> Any:
    """The resolution that the file states; Pillow makes one up for a TIFF or JPEG file that states none."""
    dpi = image.info.get("dpi")
    if image.format == "TIFF" and dpi == (1, 1):
        return dpi if _X_RESOLUTION in getattr(image, "tag_v2", {}) else None
    if image.format != "JPEG" or dpi != (72, 72) or image.info.get("jfif_unit") in _JFIF_UNITS:
        return dpi
    if exif is None or _X_RESOLUTION not in exif:
        return None
    try:
        return dpi if math.isfinite(float(exif[_X_RESOLUTION])) else (math.nan, math.nan)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return math.nan, math.nan


def usable_dpi(value: Any, notes: Notes, *, unset: bool = False) -> tuple[float, float] | None:
    """A resolution as two positive numbers that every format can hold, or None.

    Args:
        value: of `Image.info`.
        notes: where it is said that the value was dropped.
        unset: whether zero means that none was set, and needs no words.
    """
    if value is None:
        return None
    try:
        x, y = (float(part) for part in value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        notes.say("its resolution is no pair of numbers and is left out")
        return None
    if unset and (x, y) == (0, 0):
        return None
    if math.isnan(x) or math.isnan(y):
        notes.say("its resolution is 0/0 or no number and is left out")
        return None
    if not (0 < x <= MAX_DPI and 0 < y <= MAX_DPI):
        notes.say(f"its resolution of {x:g} x {y:g} dpi is not possible and is left out")
        return None
    return x, y


def fitting_profile(profile: object, mode: str, notes: Notes) -> bytes | None:
    """An ICC profile that describes pixels of `mode`, or None."""
    if not profile:
        return None
    if not isinstance(profile, bytes) or not _is_sound(profile):
        notes.say("its colour profile is damaged and is left out")
        return None
    if len(profile) > _MAX_PROFILE:
        notes.say(f"its colour profile has more than {_MAX_PROFILE:,} bytes and is left out")
        return None
    space = profile[16:20]
    if space != _SPACES.get(mode):
        words = space.decode("ascii", "replace").strip()
        notes.say(f"its colour profile is for {words} pixels, which it does not have, and is left out")
        return None
    return profile


def _is_sound(profile: bytes) -> bool:
    if len(profile) < 132 or profile[36:40] != b"acsp" or profile[12:16] not in _CLASSES:
        return False
    if int.from_bytes(profile[:4], "big") > len(profile):
        return False
    from PIL import ImageCms

    try:
        ImageCms.ImageCmsProfile(io.BytesIO(profile))
    except (ImageCms.PyCMSError, OSError, TypeError):
        return False
    return True


def to_srgb(image: Image.Image, profile: bytes, mode: str) -> Image.Image | None:
    """The image's colours through its profile, as sRGB of `mode`, RGB or RGBA; None if that is not possible."""
    from PIL import ImageCms

    convert: Callable[..., Image.Image | None] = ImageCms.profileToProfile
    try:
        return convert(image, ImageCms.ImageCmsProfile(io.BytesIO(profile)), _srgb(), outputMode=mode)
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return None


def lab_to_srgb(image: Image.Image) -> Image.Image | None:
    """An image of mode LAB as sRGB; None if that is not possible."""
    from PIL import ImageCms

    convert: Callable[..., Image.Image | None] = ImageCms.profileToProfile
    lab: Any = ImageCms.createProfile("LAB")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    try:
        return convert(image, lab, _srgb(), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return None


def _srgb() -> Any:
    from PIL import ImageCms

    # Pillow leaves the type of its C module's profiles open.
    return ImageCms.createProfile("sRGB")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
