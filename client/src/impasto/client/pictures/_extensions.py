"""Tell pictures by their names: which can be read here, which cannot, and which files are none."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from PIL import Image

_HEIC: Final = "convert it to JPEG or PNG, for example with heif-convert, or let the phone save JPEG"
_RAW: Final = "develop it to TIFF or PNG with a raw converter, such as darktable or RawTherapee"
_SVG: Final = "render it to PNG, for example with Inkscape or rsvg-convert"
_DOCUMENT: Final = "render its page to PNG, for example with pdftoppm"

_VIDEO: Final = "a video goes by itself to impasto upscale or stylize, and to a video"

VIDEOS: Final = frozenset(
    {
        *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".wmv", ".flv", ".ogv", ".3gp", ".3g2"),
        *(".mpg", ".mpeg", ".m2v", ".ts", ".mts", ".m2ts", ".vob"),
    }
)
"""The extensions of videos."""

_UNREADABLE: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys((".heic", ".heif", ".heics", ".hif"), _HEIC),
        **dict.fromkeys((".svg", ".svgz"), _SVG),
        **dict.fromkeys((".eps", ".ps", ".ai"), "convert it to PNG, for example with Ghostscript"),
        **dict.fromkeys((".wmf", ".emf"), "export it as PNG from the program that made it"),
        **dict.fromkeys(
            (
                *(
                    ".raw",
                    ".dng",
                    ".cr2",
                    ".cr3",
                    ".crw",
                    ".nef",
                    ".nrw",
                    ".arw",
                    ".srf",
                    ".sr2",
                    ".orf",
                    ".rw2",
                ),
                *(
                    ".raf",
                    ".pef",
                    ".ptx",
                    ".srw",
                    ".x3f",
                    ".3fr",
                    ".fff",
                    ".iiq",
                    ".mos",
                    ".mrw",
                    ".kdc",
                    ".dcr",
                ),
                *(".erf", ".rwl"),
            ),
            _RAW,
        ),
        **dict.fromkeys(VIDEOS, _VIDEO),
        **dict.fromkeys((".jxl",), "convert it to PNG with djxl"),
        **dict.fromkeys((".exr", ".hdr"), "convert it to TIFF or PNG, and choose its exposure there"),
        **dict.fromkeys((".xcf", ".kra", ".afphoto", ".psb"), "export it as PNG or TIFF from its program"),
        **dict.fromkeys((".jxr", ".wdp", ".bpg", ".flif", ".djvu"), "convert it to PNG"),
    }
)
"""Pictures' extensions that no Pillow reads, or that are not read here, and what to do."""

# Names of pictures that Pillow writes and reads under others.
_ALSO: Final = (".apng", ".jfif", ".jpe", ".mpo", ".pnm")
# Of formats that Pillow tells by these names and which hold measurements, films or documents, or are not read here.
_NO_PICTURES: Final = frozenset({"BUFR", "GRIB", "HDF5", "MPEG", "PDF", "IPTC", "EPS", "WMF"})
_LATER: Final[Mapping[str, str]] = MappingProxyType({".avif": "AVIF", ".avifs": "AVIF", ".webp": "WEBP"})
"""Formats that a Pillow may have been built without."""


class NamedPicture(NamedTuple):
    """The kind of file that a name stands for.

    Attributes:
        readable: whether pictures of this extension can be read here.
        remedy: what to do if not; empty for a readable one.
    """

    readable: bool
    remedy: str = ""


def named_picture(path: str | os.PathLike[str]) -> NamedPicture | None:
    """Tell by a path's extension whether it is a picture; the file is not looked at and need not exist.

    Returns:
        None if the extension is no picture's.
    """
    suffix = Path(path).suffix.lower()
    if suffix in readable_extensions():
        return NamedPicture(True)
    if suffix in _UNREADABLE:
        return NamedPicture(False, _UNREADABLE[suffix])
    if suffix in _LATER:
        return NamedPicture(False, "convert it to PNG, or install a Pillow that is built with it")
    return None


@cache
def readable_extensions() -> frozenset[str]:
    """The extensions of pictures that can be read here, lower-case with their dot: what the installed Pillow reads."""
    Image.init()
    opened = {
        suffix
        for suffix, kind in Image.registered_extensions().items()
        if kind in Image.OPEN and kind not in _NO_PICTURES
    }
    return frozenset((opened | set(_ALSO)) - set(_UNREADABLE) - _missing())


def _missing() -> set[str]:
    """The extensions of formats whose reader says that its decoder is not there."""
    from PIL import features

    has = {"AVIF": features.check_module("avif") if "avif" in features.modules else False, "WEBP": True}
    return {suffix for suffix, kind in _LATER.items() if not has[kind]}


def remedy_for(name: str, data: bytes) -> str:
    """Words on what to do with an unreadable file, from its name and its first bytes; empty if nothing is known."""
    suffix = Path(name).suffix.lower()
    if suffix in _UNREADABLE:
        return f"; {_UNREADABLE[suffix]}"
    start = data[:512].lstrip()
    if data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"heim", b"heis"):
        return f": it is a HEIF picture; {_HEIC}"
    if start.startswith((b"<svg", b"<?xml")) and b"<svg" in data[:4096]:
        return f": it is an SVG drawing; {_SVG}"
    if start.startswith(b"%PDF"):
        return f": it is a PDF document; {_DOCUMENT}"
    if start.startswith(b"%!PS"):
        return f": it is PostScript; {_UNREADABLE['.eps']}"
    if data[:12] == b"\0\0\0\x0cJXL \r\n\x87\n" or data[:2] == b"\xff\x0a":
        return f": it is JPEG XL; {_UNREADABLE['.jxl']}"
    return ""
