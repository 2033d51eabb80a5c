"""An image to the bytes of a file, with the metadata that the format can hold."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, BinaryIO, Final

from PIL import Image

from impasto.client.errors import UnwritableOutput
from impasto.client.pictures._deflate import PngCompression
from impasto.client.pictures._exif import kept_exif, with_exif
from impasto.client.pictures._metadata import CARRIED, fitting_profile, to_srgb, usable_dpi
from impasto.client.pictures._notes import Notes, warn
from impasto.client.pictures._png_writing import COLOUR_TYPES, write_png

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

ANIMATIONS: Final[Mapping[str, str]] = MappingProxyType(
    {".gif": "GIF", ".webp": "WEBP", ".png": "PNG", ".apng": "PNG"}
)
"""Pillow's format by extension, of those that can hold several frames."""

_OPAQUE: Final = ("JPEG", "BMP")
_WITH_QUALITY: Final = ("JPEG", "WEBP")
_WITH_COMPRESS: Final = ("PNG",)
_WITH_PROFILE: Final = ("PNG", "JPEG", "WEBP", "TIFF")
_LONGEST_SIDE: Final[Mapping[str, int]] = MappingProxyType({"JPEG": 65_500, "WEBP": 16_383})
"""In pixels. What libjpeg says of longer ones goes to standard error."""

_LOSSY_FREE: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {"JPEG": {"subsampling": 0}, "TIFF": {"compression": "tiff_adobe_deflate"}}
)

_ONLY_AS_TOLD: Final = ("JPEG", "BMP")
"""The formats in which Pillow writes what is carried only if it is told to. An image that has nothing else is not
copied for them: of a large result that would be the most of a process's memory."""

# A JPEG's EXIF data is one segment, whose length has 16 bits and counts itself.
_LONGEST_EXIF: Final = 65_533

# zlib's levels for what Pillow packs: moving pictures, and images of modes that no result has. If nobody says, by the
# number of pixels: of a photo with 48 megapixels level 6 takes 31 s, 4 half of that and 3 a third, for 0 to 4 % and 9
# to 14 % more bytes.
_LEVELS: Final[Mapping[PngCompression, int]] = MappingProxyType({"fast": 1, "small": 9})
_LEVELS_BELOW: Final = ((1_000_000, 6), (12_000_000, 4))
_LEVEL_OF_LARGEST: Final = 3

# What is in an inch, for the whole numbers that PNG and BMP (pixels a metre) and JPEG (pixels an inch) have.
_SMALLEST_DPI: Final[Mapping[str, float]] = MappingProxyType({"JPEG": 0.51, "PNG": 0.013, "BMP": 0.013})


def check_options(
    suffix: str, *, quality: object, compress: object, kinds: Mapping[str, str] = FORMATS
) -> None:
    """ValueError if an option is out of range, or the format that `kinds` has for the extension has none such."""
    if quality is not None and (isinstance(quality, bool) or quality not in range(1, 101)):
        raise ValueError(f"quality is {quality}; it must be a whole number from 1 to 100")
    if compress is not None and compress not in _LEVELS:
        raise ValueError(f"compress is {compress!r}; it must be 'fast' or 'small'")
    for name, value, formats in (
        ("quality", quality, _WITH_QUALITY),
        ("compress", compress, _WITH_COMPRESS),
    ):
        if value is not None and kinds[suffix.lower()] not in formats:
            able = ", ".join(known for known, kind in kinds.items() if kind in formats)
            raise ValueError(
                f"{name} is {value}, and {suffix} has no such option; leave it out, or use {able}"
            )


def format_options(suffix: str) -> frozenset[str]:
    """The names of the options that the extension's format has, of `quality` and `compress`; none if it is unknown."""
    kind = {**ANIMATIONS, **FORMATS}.get(suffix.lower())
    options = (("quality", _WITH_QUALITY), ("compress", _WITH_COMPRESS))
    return frozenset(name for name, formats in options if kind in formats)


def encoded(
    image: Image.Image,
    suffix: str,
    notes: Notes,
    *,
    quality: int | None = None,
    compress: PngCompression | None = None,
    strip: bool = False,
) -> Callable[[BinaryIO], object]:
    """Encode an image for an extension of FORMATS, as `write_picture` says, and return what writes it to a file.

    A PNG is encoded while it is written.

    Raises:
        UnwritableOutput: it is beyond the format.
    """
    kind = FORMATS[suffix.lower()]
    longest = _LONGEST_SIDE.get(kind, max(image.size))
    if max(image.size) > longest:
        raise UnwritableOutput(
            f"not possible as {kind}: it is {image.size[0]} x {image.size[1]}, and a side may have {longest:,} pixels; "
            "use .png or .tif"
        )
    if (
        strip or kind not in _WITH_PROFILE or (kind == "WEBP" and image.mode in ("L", "LA"))
    ):  # whose pixels are RGB
        image = without_profile(image, notes)
    if kind in _OPAQUE:
        image = flattened(image)
    metadata = {} if strip else writable_metadata(image, kind, notes)
    if kind == "PNG" and image.mode in COLOUR_TYPES and all(image.size):
        return lambda file: write_png(file, image, compression=compress, metadata=metadata)
    exif = metadata.pop("exif", None) if kind == "TIFF" else None
    data = _by_pillow(image, kind, metadata, quality=quality, compress=compress)
    whole = data if exif is None else _tiff_with_exif(data, exif, notes)
    return lambda file: file.write(whole)


def _by_pillow(
    image: Image.Image,
    kind: str,
    metadata: dict[str, Any],
    *,
    quality: int | None,
    compress: PngCompression | None,
) -> memoryview:
    options: dict[str, Any] = dict(_LOSSY_FREE.get(kind, {}))
    if kind in _WITH_QUALITY:
        options["quality"] = QUALITY if quality is None else int(quality)
    if kind in _WITH_COMPRESS:
        options["compress_level"] = compress_level(image.size, compress)
    if kind == "BMP":
        metadata.setdefault("dpi", (0, 0))  # or Pillow claims 96
    buffer = io.BytesIO()
    try:
        _bare(image, kind).save(buffer, kind, **options, **metadata)
    except (OSError, ValueError) as error:
        raise UnwritableOutput(f"not possible as {kind}: {error}") from error
    return buffer.getbuffer()


def _tiff_with_exif(tiff: memoryview, exif: bytes, notes: Notes) -> memoryview:
    try:
        return memoryview(with_exif(tiff, exif))
    except ValueError as error:
        notes.say(f"its EXIF data is left out: {error}")
        return tiff


def compress_level(size: tuple[int, int], compress: PngCompression | None) -> int:
    """Return zlib's level for a PNG of this size that Pillow packs."""
    if compress is not None:
        return _LEVELS[compress]
    pixels = size[0] * size[1]
    return next((level for below, level in _LEVELS_BELOW if pixels < below), _LEVEL_OF_LARGEST)


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
    """The image with its colours in sRGB instead of its own profile; resolution and EXIF data are kept."""
    profile = fitting_profile(image.info.get("icc_profile"), image.mode, notes)
    if profile is None:
        return image
    colours = image.convert("L" if image.mode in ("L", "LA") else "RGB")
    converted = to_srgb(colours, profile, "RGB")
    if converted is None:
        notes.say("its colour profile cannot be used and is left out; its colours are kept as they are")
        converted = colours
    plain = converted.convert(colours.mode)
    if image.mode in ("LA", "RGBA"):
        plain.putalpha(image.getchannel("A"))
    plain.info = {key: image.info[key] for key in ("dpi", "exif") if key in image.info}
    return plain


def in_srgb(image: Image.Image) -> Image.Image:
    """The image with its colours in sRGB instead of its own profile, as programs without one show them.

    Args:
        image: of mode L, LA, RGB or RGBA.
    """
    notes = Notes("the image")
    converted = without_profile(image, notes)
    warn(notes.all())
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


def _bare(image: Image.Image, kind: str) -> Image.Image:
    """The image without anything that Pillow would write by itself: an opened file's tags, comments and profile."""
    if type(image) is Image.Image and image.info.keys() <= set(CARRIED if kind in _ONLY_AS_TOLD else ()):
        return image
    bare = image.copy()
    bare.info = {}
    return bare
