"""Pictures that move: every frame of a file, and the frames of a GIF."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client.errors import ImageTooLarge
from impasto.client.pictures._decode import MAX_PIXELS, Opened, is_opaque
from impasto.client.pictures._encoding import flattened, without_profile
from impasto.client.pictures._modes import upright_8bit
from impasto.client.pictures._notes import Notes, quietly, warn
from impasto.client.pictures._picture import Picture
from impasto.client.pictures._reading import name_of, open_source, take_apart

_COLOURS: Final = 256
_CLEAR: Final = 255
_HALF: Final = 128
# The frames and the side, in pixels, that common colours are chosen and judged by.
_SAMPLES: Final = 16
_SAMPLE_SIDE: Final = 512
# The mean squared error, beside that of each frame's own colours, up to which common ones are taken.
_FACTOR: Final = 1.5
_SLACK: Final = 1.0


def to_frame(image: Image.Image) -> Image.Image:
    """An image of mode L, LA, RGB or RGBA with the 256 colours that suit it best, in sRGB; transparency becomes white.

    For frames of which each has its own colours, and to keep many in little memory. `write_animation` chooses better
    ones, which all frames share, where it is given the images themselves.
    """
    rgb = _srgb(flattened(image))
    return _dithered(rgb, rgb.quantize(_COLOURS))


def gif_frames(images: Sequence[Image.Image]) -> list[Image.Image]:
    """The frames with 256 colours, or 255 and a transparent one where any frame has transparency.

    All have the same colours, unless those suit some frames badly. A pixel that stays as it is from one frame to the
    next then keeps its colour, whatever the dithering around it does.

    Args:
        images: of mode L, LA, RGB or RGBA; those of mode P stay as they are.
    """
    clear = not all(is_opaque(image) for image in images)
    colours = _CLEAR if clear else _COLOURS
    opaque = [None if image.mode == "P" else _srgb(image) for image in images]
    common = _common([image for image in opaque if image is not None], colours)
    frames: list[Image.Image] = []
    before: tuple[NDArray[np.uint8], NDArray[np.uint8]] | None = None
    for image, rgb in zip(images, opaque, strict=True):
        if rgb is None:
            frames.append(image)
            before = None
            continue
        frame = _dithered(rgb, common or rgb.quantize(colours))
        pixels, indices = np.asarray(rgb), np.array(frame)
        if before is not None and common is not None:
            np.copyto(indices, before[1], where=(pixels == before[0]).all(axis=2))
        before = (pixels, indices.copy())
        if clear and image.mode in ("LA", "RGBA"):
            indices[np.asarray(image.getchannel("A")) < _HALF] = _CLEAR
        frames.append(_with_palette(indices, frame.getpalette() or [], clear=clear))
    return frames


def _srgb(image: Image.Image) -> Image.Image:
    """The colours as viewers of a GIF, which has no profile, show them."""
    return without_profile(image, Notes("")).convert("RGB")


def _dithered(rgb: Image.Image, palette: Image.Image) -> Image.Image:
    return rgb.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)


def _common(images: Sequence[Image.Image], colours: int) -> Image.Image | None:
    """A palette for all frames, or None if their own suit them much better."""
    if len(images) < 2:
        return None
    step = max(1, len(images) // _SAMPLES)
    samples = [_small(image) for image in images[::step]]
    sheet = Image.new("RGB", (samples[0].width, samples[0].height * len(samples)))
    for number, sample in enumerate(samples):
        sheet.paste(sample, (0, number * sample.height))
    palette = sheet.quantize(colours)
    common = np.mean([_error(sample, palette) for sample in samples])
    own = np.mean([_error(sample, sample.quantize(colours)) for sample in samples])
    return palette if common <= _FACTOR * own + _SLACK else None


def _small(image: Image.Image) -> Image.Image:
    side = max(image.size)
    # Pixels as they are: averages are colours that no frame has.
    return (
        image
        if side <= _SAMPLE_SIDE
        else image.resize(
            (max(1, image.width * _SAMPLE_SIDE // side), max(1, image.height * _SAMPLE_SIDE // side)),
            Image.Resampling.NEAREST,
        )
    )


def _error(rgb: Image.Image, palette: Image.Image) -> float:
    near = rgb.quantize(palette=palette, dither=Image.Dither.NONE).convert("RGB")
    return float(np.square(np.asarray(rgb).astype(np.int32) - np.asarray(near)).mean())


def _with_palette(indices: NDArray[np.uint8], palette: Sequence[int], *, clear: bool) -> Image.Image:
    frame = Image.frombytes("P", (indices.shape[1], indices.shape[0]), indices.tobytes())
    kept = list(palette[: 3 * (_CLEAR if clear else _COLOURS)])
    frame.putpalette([*kept, *[0] * (3 * _COLOURS - len(kept))])
    if clear:
        frame.info.update({"transparency": _CLEAR, "disposal": 2})
    return frame


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
