"""Pictures that move: the frames of a file, and frames as a GIF, WebP or PNG."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client.errors import ImageTooLarge, UnknownFormat, UnwritableOutput
from impasto.client.pictures._atomic import resolved, write_bytes
from impasto.client.pictures._decode import MAX_PIXELS, Opened, is_opaque
from impasto.client.pictures._deflate import PngCompression
from impasto.client.pictures._encoding import (
    ANIMATIONS,
    QUALITY,
    check_options,
    compress_level,
    flattened,
    without_profile,
    writable_metadata,
)
from impasto.client.pictures._modes import upright_8bit
from impasto.client.pictures._notes import Notes, quietly, warn
from impasto.client.pictures._picture import Picture
from impasto.client.pictures._reading import name_of, open_source, take_apart
from impasto.client.pictures._writing import check_place

ANIMATED: Final = tuple(ANIMATIONS)
"""The file extensions that an animation can be written to."""

FRAME_MILLISECONDS: Final = 100

FrameT = TypeVar("FrameT", bound=Image.Image | Picture)
FrameT_co = TypeVar("FrameT_co", bound=Image.Image | Picture, covariant=True)

_MOVING: Final = ("GIF", "WEBP", "PNG", "AVIF", "FLI")
# The unit of a frame's time in milliseconds.
_TICKS: Final = {"GIF": 10, "WEBP": 1}

_COLOURS: Final = 256
_CLEAR: Final = 255
_HALF: Final = 128
# The frames and the side, in pixels, that common colours are chosen and judged by.
_SAMPLES: Final = 16
_SAMPLE_SIDE: Final = 512
# The mean squared error, beside that of each frame's own colours, up to which common ones are taken.
_FACTOR: Final = 1.5
_SLACK: Final = 1.0


@dataclass(frozen=True, eq=False)
class Animation(Generic[FrameT_co]):
    """Frames, and how they are shown: Pictures as they are read, images as they are written.

    Attributes:
        frames: each a whole picture; or the pages of a document.
        milliseconds: how long each is shown; 0 for pages.
        plays: how many times they are shown, 0 for ever.

    Raises:
        ValueError: there are no frames, or not as many times; or `plays` is negative.
    """

    frames: tuple[FrameT_co, ...]
    milliseconds: tuple[float, ...]
    plays: int = 0

    def __post_init__(self) -> None:
        if not self.frames:
            raise ValueError("frames is empty; an animation has at least one")
        if len(self.milliseconds) != len(self.frames):
            raise ValueError(
                f"milliseconds has {len(self.milliseconds)} numbers for {len(self.frames)} frames; give one for each"
            )
        if self.plays < 0:
            raise ValueError(f"plays is {self.plays}; it must be a number of times, or 0 for ever")

    @staticmethod
    def of(
        frames: Iterable[FrameT],
        *,
        milliseconds: float | Iterable[float] = FRAME_MILLISECONDS,
        plays: int = 0,
    ) -> Animation[FrameT]:
        """Return an animation of frames that are all shown as long, or each as long as is said.

        Args:
            frames: at least one.
            milliseconds: that each is shown; one number for all, or one for each.
            plays: how many times they are shown, 0 for ever.

        Raises:
            ValueError: as Animation.
        """
        kept = tuple(frames)
        times = tuple(milliseconds) if isinstance(milliseconds, Iterable) else (milliseconds,) * len(kept)
        return Animation(kept, times, plays)

    def with_frames(self, frames: Iterable[FrameT]) -> Animation[FrameT]:
        """Return other frames, shown as these are. ValueError if there are not as many."""
        return Animation(tuple(frames), self.milliseconds, self.plays)

    @property
    def size(self) -> tuple[int, int]:
        """The width and height of the first frame."""
        return self.frames[0].size


def read_animation(
    source: str | os.PathLike[str] | bytes, *, max_pixels: int = MAX_PIXELS
) -> Animation[Picture]:
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
    animation: Animation[Image.Image],
    *,
    overwrite: bool = False,
    quality: int | None = None,
    compress: PngCompression | None = None,
    strip: bool = False,
) -> None:
    """Write an animated GIF, WebP or PNG, by the extension.

    Equal frames that follow each other may be stored as one that is shown longer. A GIF's pixels are opaque or
    transparent, nothing between, and its times are hundredths of a second: they are rounded so that no frame begins
    more than half of one too early or too late. The first frame's profile and EXIF data are kept where the format has
    a place for them; a GIF's colours are converted from the profile to sRGB.

    Args:
        path: the file to write, in a folder that exists.
        animation: frames of one size, of mode L, LA, RGB or RGBA, or as `to_frame` makes them, each shown for at most
            655,350 milliseconds.
        overwrite: replace the file if it exists.
        quality: 1 to 100, WebP only; 95 if not given.
        compress: "fast" (zlib's level 1) or "small" (9), PNG only; without it, from level 6 to 3 by the size.
        strip: write no metadata at all. Colours are converted from the frames' profile to sRGB first.

    Raises:
        OutputError: UnknownFormat, OutputExists, or UnwritableOutput when the format or the system refuses.
        ValueError: the frames' sizes or times cannot be written; or `quality` or `compress` has no such value, or the
            format no such option.
    """
    target = resolved(path)
    kind = _kind(target.suffix, f"{path}: ")
    check_options(target.suffix, quality=quality, compress=compress, kinds=ANIMATIONS)
    notes = Notes(str(path))
    try:
        data = _encoded(animation, _How(kind, quality, compress, strip), notes)
    except OSError as error:
        raise UnwritableOutput(f"cannot write {path} as {kind}: {error}") from error
    write_bytes(target, data, overwrite=overwrite)
    warn(notes.all())


def encode_animation(
    animation: Animation[Image.Image],
    suffix: str,
    *,
    quality: int | None = None,
    compress: PngCompression | None = None,
    strip: bool = False,
) -> memoryview:
    """Return an animation as a file's bytes, as `write_animation` writes them.

    Args:
        animation: as for `write_animation`, as are the arguments that are not named here.
        suffix: the file extension, such as `.gif`.
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
        data = _encoded(animation, _How(kind, quality, compress, strip), notes)
    except OSError as error:
        raise UnwritableOutput(f"not possible as {kind}: {error}") from error
    warn(notes.all())
    return data


class _How(NamedTuple):
    """Pillow's name of the format, and those options of `write_animation` that change the file."""

    kind: str
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


def _encoded(animation: Animation[Image.Image], how: _How, notes: Notes) -> memoryview:
    """The file. Raises OSError for frames beyond the format."""
    images: Sequence[Image.Image] = animation.frames
    times = _times(animation, how.kind)
    sizes = {image.size for image in images}
    if len(sizes) > 1:
        raise ValueError(f"frames have the sizes {sorted(sizes)}; they must all have one")
    if how.kind != "GIF" and (how.strip or images[0].mode in ("L", "LA")):  # whose pixels become RGB
        images = [without_profile(image, notes) for image in images]
    metadata = {} if how.kind == "GIF" or how.strip else writable_metadata(images[0], how.kind, notes)
    first, *rest = _frames_for(how.kind, images)
    duration = times if rest else times[0]
    buffer = io.BytesIO()
    options = _options(how, animation)
    try:
        first.save(
            buffer, how.kind, save_all=True, append_images=rest, duration=duration, **options, **metadata
        )
    except ValueError as error:  # sides beyond 65,535 pixels
        raise OSError(str(error)) from error
    return buffer.getbuffer()


def _times(animation: Animation[Image.Image], kind: str) -> list[float]:
    """Each frame's time, in the units of the format; the rounding of one is made good by the next."""
    times = animation.milliseconds
    if not all(0 <= time < 2**16 * 10 for time in times):
        raise ValueError(f"milliseconds is {times}; each must be from 0 to 655,350")
    tick = _TICKS.get(kind)
    if tick is None:
        return [float(time) for time in times]
    ends = [round(end / tick) for end in accumulate(times)]
    return [(end - start) * tick for start, end in zip([0, *ends], ends, strict=False)]


def _options(how: _How, animation: Animation[Image.Image]) -> dict[str, Any]:
    if how.kind == "GIF":
        return {} if animation.plays == 1 else {"loop": max(animation.plays - 1, 0)}
    if how.kind == "PNG":
        return {"loop": animation.plays, "compress_level": compress_level(animation.size, how.compress)}
    return {"loop": animation.plays, "quality": QUALITY if how.quality is None else int(how.quality)}


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
