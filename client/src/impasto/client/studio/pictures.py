"""The pictures that people upload, and the examples: their names, what made them, and where they are kept.

A result is a PNG with a note of its making, which is read again from what people drop.
What is read of a note may come from anywhere: nothing is decompressed, and what is too long or no JSON counts as none.
"""

from __future__ import annotations

import io
import json
import re
import secrets
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Final, cast

from PIL import Image

from impasto.client import Picture, read_picture
from impasto.client.pictures import encode_picture
from impasto.client.pictures._png import SIGNATURE
from impasto.client.pictures._png_writing import chunk

_LONGEST_NAME: Final = 80
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
    return f"{stem[: _LONGEST_NAME - len(suffix)]}{suffix or '.png'}"


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


KEYWORD: Final = "impasto"
FORMAT: Final = 1

_LONGEST_NOTE: Final = 64 * 1024
_MOST_CHUNKS: Final = 10_000
_HEAD: Final = 33
"""The length of the signature and of the chunk with the size, behind which the note is put."""

_UNCOMPRESSED: Final = b"\0\0\0\0\0"
"""The end of an iTXt's keyword, its two flags of compression, no language, no translated keyword."""


def with_note(png: bytes | memoryview, value: Mapping[str, Any]) -> bytes:
    """Return a PNG's bytes with a note."""
    text = json.dumps({KEYWORD: FORMAT, **value}, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    note = chunk(b"iTXt", KEYWORD.encode() + _UNCOMPRESSED + text.encode(errors="replace"))
    return b"".join((png[:_HEAD], note, png[_HEAD:]))


def read_note(data: bytes) -> dict[str, Any] | None:
    """Return the note in a PNG of ours; None if there is none that can be read."""
    if not data.startswith(SIGNATURE):
        return None
    for kind, content in _chunks(data):
        if kind == b"IDAT":  # ours stands before the pixels
            return None
        if kind == b"iTXt" and content.startswith(KEYWORD.encode() + _UNCOMPRESSED):
            return _parsed(content[len(KEYWORD) + len(_UNCOMPRESSED) :])
    return None


def _chunks(data: bytes) -> Generator[tuple[bytes, bytes], None, None]:
    position = len(SIGNATURE)
    for _ in range(_MOST_CHUNKS):
        length = int.from_bytes(data[position : position + 4], "big")
        end = position + 12 + length
        if end > len(data):
            return
        if length <= _LONGEST_NOTE:
            yield data[position + 4 : position + 8], data[position + 8 : end - 4]
        position = end


def _parsed(text: bytes) -> dict[str, Any] | None:
    try:
        value: Any = json.loads(text.decode())
    except (ValueError, RecursionError):  # a number of thousands of digits is a ValueError, too
        return None
    if not isinstance(value, dict):
        return None
    note = cast("dict[str, Any]", value)
    return note if note.get(KEYWORD) == FORMAT else None


_JPEG_QUALITY: Final = 85
THUMB_SIDES: Final = (16, 1024)
"""The least and the largest side of a thumbnail, in pixels."""


@dataclass(frozen=True)
class Kept:
    """A picture that is kept as a file.

    Attributes:
        id: cannot be guessed; an example's is its name.
        name: the file's, safe.
        path: where the bytes are, as they came.
        kind: the media type.
        size: width and height, turned as the picture's EXIF data says.
        bytes: the file's length.
        made: when it came, on the clock of the Studio.
        note: what a PNG of ours says of its making.
        credit: who made it, of an example.
    """

    id: str
    name: str
    path: Path
    kind: str
    size: tuple[int, int]
    bytes: int
    made: float = 0.0
    note: dict[str, Any] | None = None
    credit: str | None = None

    def read(self, *, max_pixels: int) -> Picture:
        """Return the picture, under its own name. Raises ImageError, OSError."""
        picture = read_picture(self.path.read_bytes(), max_pixels=max_pixels)
        return replace(picture, name=self.name)

    def as_json(self, job: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what the page sees: no path."""
        width, height = self.size
        url = f"/api/pictures/{self.id}"
        return {
            "id": self.id,
            "name": self.name,
            "width": width,
            "height": height,
            "url": url,
            "thumb": f"{url}/thumb",
            "job": job,
            "credit": self.credit,
        }


def keep(data: bytes, name: str, folder: Path, *, max_pixels: int, now: float) -> Kept:
    """Look at an uploaded file, and keep it.

    Raises:
        ImageError: it is no picture, or one that is damaged or has too many pixels; that is said before it is decoded.
        OSError: it cannot be kept.
    """
    picture = read_picture(data, max_pixels=max_pixels)
    height, width = picture.rgb.shape[:2]
    with Image.open(io.BytesIO(data)) as image:  # which names the format; the pixels were decoded above
        kind = image.format or ""
    identity = secrets.token_urlsafe(16)
    path = folder / identity
    path.write_bytes(data)
    return Kept(
        id=identity,
        name=safe_name(name, kind=kind),
        path=path,
        kind=Image.MIME.get(kind, "application/octet-stream"),
        size=(width, height),
        bytes=len(data),
        made=now,
        note=read_note(data),
    )


def thumb(kept: Kept, side: int, *, max_pixels: int) -> bytes:
    """Return a picture as a JPEG of at most this side. Raises ImageError, OSError."""
    picture = kept.read(max_pixels=max_pixels)
    return jpeg(picture.rebuild(picture.rgb), side)


def jpeg(image: Image.Image, side: int) -> bytes:
    """Return an image as a JPEG of at most this side, over white where it is transparent."""
    small = image
    if max(image.size) > side:
        small = image.copy()
        small.thumbnail((side, side), Image.Resampling.LANCZOS)
    small.info = {key: value for key, value in image.info.items() if key == "icc_profile"}
    return bytes(encode_picture(small, ".jpg", quality=_JPEG_QUALITY))
