"""The pictures that people upload, and the examples: looked at before they are decoded, kept in a private folder."""

from __future__ import annotations

import io
import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from PIL import Image

from impasto.client import Picture, read_picture
from impasto.client.pictures import encode_picture
from impasto.client.studio.names import safe_name
from impasto.client.studio.png_note import read_note

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
