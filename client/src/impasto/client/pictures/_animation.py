"""Pictures that move: every frame of a file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from impasto.client.errors import ImageTooLarge
from impasto.client.pictures._decode import MAX_PIXELS, Opened
from impasto.client.pictures._modes import upright_8bit
from impasto.client.pictures._notes import Notes, quietly, warn
from impasto.client.pictures._picture import Picture
from impasto.client.pictures._reading import name_of, open_source, take_apart

_MOVING: Final = ("GIF", "WEBP", "PNG", "AVIF", "FLI")


@dataclass(frozen=True, eq=False)
class Animation:
    """The frames of a file, each a whole picture.

    Attributes:
        frames: all of them, or the pages of a document.
        milliseconds: how long each is shown; 0 for pages.
        plays: how many times they are shown, 0 for ever.
    """

    frames: tuple[Picture, ...]
    milliseconds: tuple[float, ...]
    plays: int = 0


def read_animation(source: str | os.PathLike[str] | bytes, *, max_pixels: int = MAX_PIXELS) -> Animation:
    """Read every frame of an animated GIF, WebP, APNG or AVIF, or every page of a TIFF.

    Each frame is what a viewer shows at its time, with all that earlier frames left there. A still picture is one
    frame. The picture behind which an APNG hides its frames from programs that do not know them is not one of them.

    Args:
        source: a path, or a file's bytes.
        max_pixels: the largest width times height times frames that is decoded.

    Raises:
        OSError, ImageError, TypeError: as `read_picture`.
    """
    notes = Notes(name_of(source))
    with quietly():
        file = open_source(source, notes, max_pixels=max_pixels)
        _check_frames(file, notes.name, max_pixels)
        image = file.image
        frames: list[Picture] = []
        times: list[float] = []
        for number in range(file.frames):
            file.seek(number, notes)
            plain, info = upright_8bit(file.decode(notes), notes, origin=image)
            frames.append(take_apart(plain, info, notes, frames=file.frames, frame=number))
            times.append(float(image.info.get("duration", 0) or 0))
        plays = _plays(file)
    warn(notes.all())
    return Animation(tuple(frames), tuple(times), plays)


def moves(source: str | os.PathLike[str] | bytes, *, max_pixels: int = MAX_PIXELS) -> bool:
    """Tell whether a file is an animation: a GIF, WebP, APNG or AVIF with several frames. No pixel is decoded.

    Args:
        source: a path, or a file's bytes.
        max_pixels: the largest width times height that is read.

    Raises:
        OSError, ImageError, TypeError: as `read_picture`.
    """
    notes = Notes(name_of(source))
    with quietly():
        file = open_source(source, notes, max_pixels=max_pixels)
    return file.kind in _MOVING and file.frames > 1


def _check_frames(file: Opened, name: str, max_pixels: int) -> None:
    width, height = file.image.size
    if file.frames * width * height > max_pixels:
        raise ImageTooLarge(
            f"{name} has {file.frames} frames of {width} x {height}, {file.frames * width * height:,} pixels, and the "
            f"limit is {max_pixels:,}; raise max_pixels if you trust it, or make it smaller"
        )


def _plays(file: Opened) -> int:
    """The number of times that the file asks to be shown; a GIF counts the repetitions after the first time."""
    loop = file.image.info.get("loop")
    if file.kind == "GIF":
        return 1 if not isinstance(loop, int) else loop + 1 if loop else 0
    if file.kind not in _MOVING:
        return 1
    return loop if isinstance(loop, int) else 0
