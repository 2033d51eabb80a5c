"""Pictures that move: every frame of a file, and frames to a file."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final

import numpy as np
from PIL import Image

from impasto.client.errors import ImageTooLarge, UnknownFormat, UnwritableOutput
from impasto.client.pictures._atomic import resolved, write_bytes
from impasto.client.pictures._decode import MAX_PIXELS, Opened, check_size, damage
from impasto.client.pictures._encoding import QUALITY, compress_level, flattened, writable_metadata
from impasto.client.pictures._modes import upright_8bit
from impasto.client.pictures._notes import Notes, quietly, warn
from impasto.client.pictures._picture import Picture
from impasto.client.pictures._reading import name_of, open_source, take_apart

FRAME_MILLISECONDS: Final = 100

ANIMATED: Final = (".gif", ".webp", ".png", ".apng")
"""The file extensions that an animation can be written to."""

_KINDS: Final = {".gif": "GIF", ".webp": "WEBP", ".png": "PNG", ".apng": "PNG"}
# The unit of a frame's time in milliseconds.
_TICKS: Final = {"GIF": 10, "WEBP": 1}
_MOVING: Final = ("GIF", "WEBP", "PNG", "AVIF", "FLI")
_TRANSPARENT: Final = 255
_HALF: Final = 128


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
        hidden = file.kind == "PNG" and bool(getattr(image, "default_image", False)) and file.frames > 1
        frames: list[Picture] = []
        times: list[float] = []
        for number in range(int(hidden), file.frames):
            with damage(notes.name, f"its frame {number} cannot be decoded"):
                image.seek(number)
            check_size(image.size, notes.name, max_pixels=max_pixels)
            plain, info = upright_8bit(file.decode(notes), notes, origin=image)
            frames.append(take_apart(plain, info, notes, frames=file.frames, frame=number))
            times.append(float(image.info.get("duration", 0) or 0))
        plays = _plays(file)
    warn(notes.all())
    return Animation(tuple(frames), tuple(times), plays)


def to_frame(image: Image.Image) -> Image.Image:
    """An image of mode L, LA, RGB or RGBA with the 256 colours that suit it best; transparency becomes white."""
    return flattened(image).convert("RGB").quantize(256, dither=Image.Dither.FLOYDSTEINBERG)


def write_animation(
    path: str | os.PathLike[str],
    frames: Iterable[Image.Image],
    *,
    milliseconds: float | Sequence[float] = FRAME_MILLISECONDS,
    plays: int = 0,
    overwrite: bool = False,
) -> None:
    """Write frames as an animated GIF, WebP or PNG, by the extension.

    Equal frames that follow each other may be stored as one that is shown longer. A GIF's pixels are opaque or
    transparent, nothing between, and its times are hundredths of a second: they are rounded so that no frame begins
    more than half of one too early or too late. The first frame's profile and EXIF data are kept where the format has
    a place for them.

    Args:
        path: the file to write, in a folder that exists.
        frames: at least one, all of one size, of mode L, LA, RGB or RGBA, or as `to_frame` makes them.
        milliseconds: that each is shown; one number for all, or one for each.
        plays: how many times the frames are shown, 0 for ever.
        overwrite: replace the file if it exists.

    Raises:
        OutputError: UnknownFormat, OutputExists, or UnwritableOutput when the format or the system refuses.
        ValueError: there are no frames, or their sizes or times do not go together.
    """
    target = resolved(path)
    kind = _KINDS.get(target.suffix.lower())
    if kind is None:
        raise UnknownFormat(
            f"{path}: no animation can be written as {target.suffix!r}; use one of {', '.join(ANIMATED)}"
        )
    images = list(frames)
    times = _times(images, milliseconds, kind)
    if plays < 0:
        raise ValueError(f"plays is {plays}; it must be a number of times, or 0 for ever")
    notes = Notes(str(path))
    metadata = {} if kind == "GIF" else writable_metadata(images[0], kind, notes)
    first, *rest = _frames_for(kind, images)
    options: dict[str, Any] = {
        "duration": times if rest else times[0],
        **_options(kind, plays, images[0].size),
    }
    buffer = io.BytesIO()
    try:
        first.save(buffer, kind, save_all=True, append_images=rest, **options, **metadata)
    except (OSError, ValueError) as error:  # sides beyond 65,535 pixels
        raise UnwritableOutput(f"cannot write {path} as {kind}: {error}") from error
    write_bytes(target, buffer.getbuffer(), overwrite=overwrite)
    warn(notes.all())


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


def _times(images: Sequence[Image.Image], milliseconds: float | Sequence[float], kind: str) -> list[float]:
    """Each frame's time, in the units of the format; the rounding of one is made good by the next."""
    if not images:
        raise ValueError("frames is empty; an animation has at least one")
    sizes = {image.size for image in images}
    if len(sizes) > 1:
        raise ValueError(f"frames have the sizes {sorted(sizes)}; they must all have one")
    times = list(milliseconds) if isinstance(milliseconds, Sequence) else [milliseconds] * len(images)
    if len(times) != len(images):
        raise ValueError(f"milliseconds has {len(times)} numbers for {len(images)} frames; give one for each")
    if not all(0 <= time < 2**16 * 10 for time in times):
        raise ValueError(f"milliseconds is {milliseconds}; each must be from 0 to 655,350")
    tick = _TICKS.get(kind)
    if tick is None:
        return [float(time) for time in times]
    ends = [round(end / tick) for end in accumulate(times)]
    return [(end - start) * tick for start, end in zip([0, *ends], ends, strict=False)]


def _options(kind: str, plays: int, size: tuple[int, int]) -> dict[str, Any]:
    if kind == "GIF":
        return {} if plays == 1 else {"loop": max(plays - 1, 0)}
    if kind == "PNG":
        return {"loop": plays, "compress_level": compress_level(size)}
    return {"loop": plays, "quality": QUALITY}


def _frames_for(kind: str, images: Sequence[Image.Image]) -> list[Image.Image]:
    """The frames in one mode that the format takes, without anything that Pillow would write by itself."""
    if kind == "GIF":
        is_clear = any(image.mode in ("LA", "RGBA") for image in images)
        return [_gif_frame(image, clear=is_clear) if image.mode != "P" else image for image in images]
    mode = (
        "RGBA"
        if any(image.mode in ("LA", "RGBA") or image.has_transparency_data for image in images)
        else "RGB"
    )
    bare = [image.convert(mode) for image in images]
    for image in bare:
        image.info = {}
    return bare


def _gif_frame(image: Image.Image, *, clear: bool) -> Image.Image:
    """A frame of 256 colours; of 255 and a transparent one in an animation that has transparency anywhere."""
    if not clear:
        return to_frame(image)
    rgba = image.convert("RGBA")
    frame = rgba.convert("RGB").quantize(_TRANSPARENT, dither=Image.Dither.FLOYDSTEINBERG)
    indices = np.where(np.asarray(rgba.getchannel("A")) < _HALF, _TRANSPARENT, np.asarray(frame)).astype(
        np.uint8
    )
    palette = (frame.getpalette() or [])[: 3 * _TRANSPARENT]
    result = Image.frombytes("P", frame.size, indices.tobytes())
    result.putpalette([*palette, *[0] * (3 * 256 - len(palette))])
    result.info.update({"transparency": _TRANSPARENT, "disposal": 2})
    return result
