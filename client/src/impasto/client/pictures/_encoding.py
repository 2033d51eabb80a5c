"""An image to the bytes of a file, with the metadata that the format can hold."""

from __future__ import annotations

import io
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from PIL import Image

from impasto.client.errors import UnwritableOutput
from impasto.client.pictures._exif import kept_exif
from impasto.client.pictures._metadata import CARRIED, fitting_profile, to_srgb, usable_dpi
from impasto.client.pictures._notes import Notes

QUALITY: Final = 95

FORMATS: Final[Mapping[str, str]] = MappingProxyType(
    {
        ".png": "PNG",
        ".jpg": "JPEG",
        ".jpeg": "JPEG",
        ".webp": "WEBP",
        ".tif": "TIFF",
        ".tiff": "TIFF",
        ".bmp": "BMP",
    }
)
"""Pillow's format by extension. GIF is left out: 256 colours would undo what the models do."""

_OPAQUE: Final = ("JPEG", "BMP")
_WITH_QUALITY: Final = ("JPEG", "WEBP")
_WITH_COMPRESS: Final = ("PNG",)
_WITH_PROFILE: Final = ("PNG", "JPEG", "WEBP", "TIFF")
_LOSSY_FREE: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {"JPEG": {"subsampling": 0}, "TIFF": {"compression": "tiff_adobe_deflate"}}
)

# A JPEG's EXIF data is one segment, whose length has 16 bits and counts itself.
_LONGEST_EXIF: Final = 65_533

_LARGE: Final = 1_000_000
_LEVEL: Final = 6
_LEVEL_OF_LARGE: Final = 4
"""zlib's levels: of 48 megapixels 6 takes as long as the model itself, 4 less than half of that for 4 % more bytes."""

# What is in an inch, for the whole numbers that PNG and BMP (pixels a metre) and JPEG (pixels an inch) have.
_SMALLEST_DPI: Final[Mapping[str, float]] = MappingProxyType({"JPEG": 0.51, "PNG": 0.013, "BMP": 0.013})


def check_options(suffix: str, *, quality: int | None, compress: int | None) -> None:
    """ValueError if an option is out of range, or the extension's format has none such."""
    for name, value, formats, low, high in (
        ("quality", quality, _WITH_QUALITY, 1, 100),
        ("compress", compress, _WITH_COMPRESS, 0, 9),
    ):
        if value is None:
            continue
        if isinstance(value, bool) or value not in range(low, high + 1):
            raise ValueError(f"{name} is {value}; it must be a whole number from {low} to {high}")
        if FORMATS[suffix.lower()] not in formats:
            able = ", ".join(known for known, kind in FORMATS.items() if kind in formats)
            raise ValueError(
                f"{name} is {value}, and {suffix} has no such option; leave it out, or use {able}"
            )


def encoded(
    image: Image.Image,
    suffix: str,
    notes: Notes,
    *,
    quality: int | None = None,
    compress: int | None = None,
    strip: bool = False,
) -> memoryview:
    """Encode an image for an extension of FORMATS; see `write_picture`.

    Raises:
        UnwritableOutput: it is beyond the format.
    """
    kind = FORMATS[suffix.lower()]
    options: dict[str, Any] = dict(_LOSSY_FREE.get(kind, {}))
    if kind in _WITH_QUALITY:
        options["quality"] = QUALITY if quality is None else int(quality)
    if kind in _WITH_COMPRESS:
        options["compress_level"] = compress_level(image.size) if compress is None else int(compress)
    if strip:
        image = without_profile(image, notes)
    if kind in _OPAQUE:
        image = flattened(image)
    metadata = {} if strip else writable_metadata(image, kind, notes)
    buffer = io.BytesIO()
    try:
        _bare(image).save(buffer, kind, **options, **metadata)
    except (OSError, ValueError) as error:
        raise UnwritableOutput(f"not possible as {kind}: {error}") from error
    return buffer.getbuffer()


def compress_level(size: tuple[int, int]) -> int:
    """zlib's level for a PNG of this size."""
    return _LEVEL if size[0] * size[1] < _LARGE else _LEVEL_OF_LARGE


def writable_metadata(image: Image.Image, kind: str, notes: Notes) -> dict[str, Any]:
    """Pillow's options for what of the image's metadata a format can hold."""
    metadata: dict[str, Any] = {}
    if kind in _WITH_PROFILE:
        profile = fitting_profile(image.info.get("icc_profile"), image.mode, notes)
        if profile is not None:
            metadata["icc_profile"] = profile
        exif = _exif(image.info.get("exif"), notes)
        if exif is not None and (kind != "JPEG" or len(exif) <= _LONGEST_EXIF):
            metadata["exif"] = exif
        elif exif is not None:
            notes.say(f"its EXIF data has {len(exif):,} bytes, too many for JPEG, and is left out")
    dpi = usable_dpi(image.info.get("dpi"), notes)
    if dpi is not None and kind != "WEBP":
        if min(dpi) < _SMALLEST_DPI.get(kind, 0):
            notes.say(
                f"its resolution of {dpi[0]:g} x {dpi[1]:g} dpi is too small for {kind} and is left out"
            )
        else:
            metadata["dpi"] = dpi
    return metadata


def without_profile(image: Image.Image, notes: Notes) -> Image.Image:
    """The image with its colours in sRGB instead of its own profile."""
    profile = fitting_profile(image.info.get("icc_profile"), image.mode, notes)
    if profile is None:
        return image
    colours = image.convert("L" if image.mode in ("L", "LA") else "RGB")
    converted = to_srgb(colours, profile, "RGB")
    if converted is None:
        notes.say("its colour profile cannot be used and is left out; its colours are kept as they are")
        return image
    if colours.mode == "L":
        converted = converted.convert("L")
    if image.mode in ("LA", "RGBA"):
        converted.putalpha(image.getchannel("A"))
    return converted


def flattened(image: Image.Image) -> Image.Image:
    """The image without transparency, over white: of mode L or RGB, or as it is if it has none."""
    if image.mode not in ("LA", "RGBA"):
        return image
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image.convert("RGBA"))
    flat = white.convert("L" if image.mode == "LA" else "RGB")
    flat.info.update({key: image.info[key] for key in CARRIED if key in image.info})
    return flat


def _exif(data: object, notes: Notes) -> bytes | None:
    if not isinstance(data, bytes):
        return None
    exif = Image.Exif()
    try:
        exif.load(data)
        return kept_exif(exif, notes) if len(exif) else None
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - whatever a damaged block does to its reader
        notes.say("its EXIF data is damaged and is left out")
        return None


def _bare(image: Image.Image) -> Image.Image:
    """The image without anything that Pillow would write by itself: an opened file's tags, comments and profile."""
    if type(image) is Image.Image and not image.info:
        return image
    bare = image.copy()
    bare.info = {}
    return bare
