"""Frames to a file that moves."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final

from PIL import Image

from impasto.client.errors import UnknownFormat, UnwritableOutput
from impasto.client.pictures._animation import gif_frames
from impasto.client.pictures._atomic import resolved, write_bytes
from impasto.client.pictures._decode import is_opaque
from impasto.client.pictures._deflate import PngCompression
from impasto.client.pictures._encoding import (
    ANIMATIONS,
    QUALITY,
    check_options,
    compress_level,
    without_profile,
    writable_metadata,
)
from impasto.client.pictures._notes import Notes, warn
from impasto.client.pictures._writing import check_place

FRAME_MILLISECONDS: Final = 100

ANIMATED: Final = tuple(ANIMATIONS)
"""The file extensions that an animation can be written to."""

# The unit of a frame's time in milliseconds.
_TICKS: Final = {"GIF": 10, "WEBP": 1}


def check_animation_output(
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    quality: int | None = None,
    compress: PngCompression | None = None,
) -> None:
    """Find out before the work whether an animation could be written: `check_output` for `write_animation`.

    Raises:
        OutputError: as `check_output`.
        ValueError: as `write_animation`.
    """
    target = resolved(path)
    _kind(target.suffix, f"{path}: ")
    check_options(target.suffix, quality=quality, compress=compress, kinds=ANIMATIONS)
    check_place(target, path, overwrite=overwrite)


def write_animation(
    path: str | os.PathLike[str],
    frames: Iterable[Image.Image],
    *,
    milliseconds: float | Sequence[float] = FRAME_MILLISECONDS,
    plays: int = 0,
    overwrite: bool = False,
    quality: int | None = None,
    compress: PngCompression | None = None,
    strip: bool = False,
) -> None:
    """Write frames as an animated GIF, WebP or PNG, by the extension.

    Equal frames that follow each other may be stored as one that is shown longer. A GIF's pixels are opaque or
    transparent, nothing between, and its times are hundredths of a second: they are rounded so that no frame begins
    more than half of one too early or too late. The first frame's profile and EXIF data are kept where the format has
    a place for them; a GIF's colours are converted from the profile to sRGB.

    Args:
        path: the file to write, in a folder that exists.
        frames: at least one, all of one size, of mode L, LA, RGB or RGBA, or as `to_frame` makes them.
        milliseconds: that each is shown; one number for all, or one for each.
        plays: how many times the frames are shown, 0 for ever.
        overwrite: replace the file if it exists.
        quality: 1 to 100, WebP only; 95 if not given.
        compress: "fast" (zlib's level 1) or "small" (9), PNG only; without it, from level 6 to 3 by the size.
        strip: write no metadata at all. Colours are converted from the frames' profile to sRGB first.

    Raises:
        OutputError: UnknownFormat, OutputExists, or UnwritableOutput when the format or the system refuses.
        ValueError: there are no frames, or their sizes or times do not go together; or `quality` or `compress` has
            no such value, or the format no such option.
    """
    target = resolved(path)
    kind = _kind(target.suffix, f"{path}: ")
    check_options(target.suffix, quality=quality, compress=compress, kinds=ANIMATIONS)
    notes = Notes(str(path))
    how = _How(kind, milliseconds, plays, quality, compress, strip)
    try:
        data = _encoded(list(frames), how, notes)
    except OSError as error:
        raise UnwritableOutput(f"cannot write {path} as {kind}: {error}") from error
    write_bytes(target, data, overwrite=overwrite)
    warn(notes.all())


def encode_animation(
    frames: Iterable[Image.Image],
    suffix: str,
    *,
    milliseconds: float | Sequence[float] = FRAME_MILLISECONDS,
    plays: int = 0,
    quality: int | None = None,
    compress: PngCompression | None = None,
    strip: bool = False,
) -> memoryview:
    """Frames as a file's bytes, as `write_animation` writes them.

    Args:
        frames: as for `write_animation`, as are the arguments that are not named here.
        suffix: the file extension, such as `.gif`.
        milliseconds: that each is shown.
        plays: how many times.
        quality: of WebP.
        compress: of PNG.
        strip: write no metadata.

    Raises:
        UnknownFormat: for the extension.
        UnwritableOutput: frames beyond the format.
        ValueError: as `write_animation`.
    """
    kind = _kind(suffix)
    check_options(suffix, quality=quality, compress=compress, kinds=ANIMATIONS)
    notes = Notes("the result")
    try:
        data = _encoded(list(frames), _How(kind, milliseconds, plays, quality, compress, strip), notes)
    except OSError as error:
        raise UnwritableOutput(f"not possible as {kind}: {error}") from error
    warn(notes.all())
    return data


@dataclass(frozen=True)
class _How:
    """Pillow's name of the format, and the options of `write_animation`."""

    kind: str
    milliseconds: float | Sequence[float]
    plays: int
    quality: int | None
    compress: PngCompression | None
    strip: bool


def _kind(suffix: str, place: str = "") -> str:
    kind = ANIMATIONS.get(suffix.lower())
    if kind is None:
        raise UnknownFormat(
            f"{place}no animation can be written as {suffix!r}; use one of {', '.join(ANIMATED)}"
        )
    return kind


def _encoded(images: Sequence[Image.Image], how: _How, notes: Notes) -> memoryview:
    """The file. Raises OSError for frames beyond the format."""
    times = _times(images, how.milliseconds, how.kind)
    if how.plays < 0:
        raise ValueError(f"plays is {how.plays}; it must be a number of times, or 0 for ever")
    if how.kind != "GIF" and (how.strip or images[0].mode in ("L", "LA")):  # whose pixels become RGB
        images = [without_profile(image, notes) for image in images]
    metadata = {} if how.kind == "GIF" or how.strip else writable_metadata(images[0], how.kind, notes)
    first, *rest = _frames_for(how.kind, images)
    duration = times if rest else times[0]
    buffer = io.BytesIO()
    options = _options(how, images[0].size)
    try:
        first.save(
            buffer, how.kind, save_all=True, append_images=rest, duration=duration, **options, **metadata
        )
    except ValueError as error:  # sides beyond 65,535 pixels
        raise OSError(str(error)) from error
    return buffer.getbuffer()


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


def _options(how: _How, size: tuple[int, int]) -> dict[str, Any]:
    if how.kind == "GIF":
        return {} if how.plays == 1 else {"loop": max(how.plays - 1, 0)}
    if how.kind == "PNG":
        return {"loop": how.plays, "compress_level": compress_level(size, how.compress)}
    return {"loop": how.plays, "quality": QUALITY if how.quality is None else int(how.quality)}


def _frames_for(kind: str, images: Sequence[Image.Image]) -> list[Image.Image]:
    """The frames in one mode that the format takes, without anything that Pillow would write by itself."""
    if kind == "GIF":
        return gif_frames(images)
    clear = any(
        not is_opaque(image) or (image.mode == "P" and image.has_transparency_data) for image in images
    )
    bare = [image.convert("RGBA" if clear else "RGB") for image in images]
    for image in bare:
        image.info = {}
    return bare
