"""The names of pictures: what people's files are called, made safe for command lines, headers and archives."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Final

_LONGEST: Final = 80
_UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f<>:\"|?*'`$\\/\u202a-\u202e\u2066-\u2069]")
_SUFFIXES: Final[Mapping[str, tuple[str, ...]]] = {
    "PNG": (".png", ".apng"),
    "JPEG": (".jpg", ".jpeg", ".jfif"),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "BMP": (".bmp",),
    "TIFF": (".tif", ".tiff"),
    "AVIF": (".avif",),
}


def safe_name(given: str, *, kind: str | None = None) -> str:
    """Return the name of a picture's file without folders, signs that programs take for more, and excess.

    Args:
        given: what the browser says.
        kind: Pillow's name of the format, which the suffix is to tell.
    """
    last = re.split(r"[/\\]", given)[-1]
    name = _UNSAFE.sub("", last).strip().lstrip("-.").strip() or "picture"
    name = name.encode("utf-8", "ignore").decode()
    path = PurePosixPath(name)
    suffixes = _SUFFIXES.get(kind or "", ())
    suffix = path.suffix if 1 < len(path.suffix) <= 6 else ""
    stem = name.removesuffix(suffix) if suffix else name
    if suffixes and suffix.lower() not in suffixes:
        suffix = suffixes[0]
    return f"{stem[: _LONGEST - len(suffix)]}{suffix or '.png'}"


def distinct(names: Iterable[str]) -> list[str]:
    """Return names of which no two are equal, whatever the case: `cat.jpg` and `cat-2.jpg`."""
    taken: set[str] = set()
    found: list[str] = []
    for name in names:
        path, number, free = PurePosixPath(name), 1, name
        while free.lower() in taken:
            number += 1
            free = f"{path.stem}-{number}{path.suffix}"
        taken.add(free.lower())
        found.append(free)
    return found
