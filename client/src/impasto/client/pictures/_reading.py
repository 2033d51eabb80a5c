"""Pictures as the models see them: 8-bit RGB. What the models cannot see is kept aside and put back afterwards."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client.errors import EmptyImage, ImageTooLarge, NotAnImage, UnsupportedImage
from impasto.client.pictures._decode import (
    MAX_PIXELS,
    Opened,
    check_size,
    damage,
    decoded,
    frame_count,
    opened,
)
from impasto.client.pictures._modes import upright_8bit
from impasto.client.pictures._notes import Notes, quietly, warn
from impasto.client.pictures._picture import Picture, spread_visible_colours

# No format that is read takes more: four samples of 32 bits a pixel, and what a camera puts beside them.
_BYTES_A_PIXEL: Final = 16
_BESIDE: Final = 256 * 2**20
_PIECE: Final = 2**20


def read_file(path: Path, *, max_pixels: int) -> bytes:
    """Read a picture's file.

    Raises:
        OSError: it cannot be opened or read.
        NotAnImage: it is a device, such as /dev/zero, or a socket.
        EmptyImage: it has no bytes, or is a pipe that nobody writes to.
        ImageTooLarge: it has more bytes than `max_pixels` can take.
    """
    # Opening a pipe that nobody writes to would wait for a writer.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        _check_kind(path, os.fstat(descriptor).st_mode)
        if hasattr(os, "set_blocking"):
            os.set_blocking(descriptor, True)
        data = _read(descriptor, max_pixels * _BYTES_A_PIXEL + _BESIDE)
    finally:
        os.close(descriptor)
    if data is None:
        raise ImageTooLarge(
            f"{path} has more bytes than a picture of {max_pixels:,} pixels, the limit, can take; "
            "raise max_pixels if you trust it"
        )
    if not data:
        raise EmptyImage(f"{path} is empty: 0 bytes")
    return data


def _check_kind(path: Path, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
        raise NotAnImage(f"{path} is a device or a socket, not a picture's file")


def _read(descriptor: int, limit: int) -> bytes | None:
    """All bytes of a file, or None if there are more than `limit`."""
    size = os.fstat(descriptor).st_size
    if size > limit:
        return None
    pieces: list[bytes] = []
    length = 0
    while piece := os.read(descriptor, max(_PIECE, size - length)):
        pieces.append(piece)
        length += len(piece)
        if length > limit:
            return None
    return b"".join(pieces)


ImageSource: TypeAlias = str | os.PathLike[str] | bytes | Image.Image | NDArray[np.uint8] | Picture
"""A path, an image file's bytes, a PIL image, a uint8 array [H, W] or [H, W, C], or a Picture that was read before.

C is 1 for gray, 2 for gray and alpha, 3 for RGB, 4 for RGB and alpha.
"""

# The PIL mode of a uint8 array's last dimension: gray, gray with alpha, colour, colour with alpha.
_MODES: Final = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def read_picture(source: ImageSource, *, max_pixels: int = MAX_PIXELS, frame: int | None = None) -> Picture:
    """Read a picture from whatever the caller has.

    EXIF orientation is applied. Palettes become RGB(A); CMYK becomes RGB through its profile if it has one; 1-bit is
    gray. 16 bits a channel are divided by 257; floating point is scaled by its range: white is 1 if no pixel is
    brighter, else 255, 65535 or the brightest pixel. Colour profile, resolution and the EXIF data that still hold are
    carried along; other metadata is dropped.

    What is left out, mended or chosen is said by a PictureWarning each, and in the picture's `notes`.

    Args:
        source: see ImageSource.
        max_pixels: the largest width times height that is decoded.
        frame: which frame or page of a file with several is read, from 0. Without it the first one is, or the one at
            which a PIL image stands. A Picture is returned as it is.

    Raises:
        OSError: a file cannot be opened.
        ImageError: NotAnImage, TruncatedImage, EmptyImage, ImageTooLarge or UnsupportedImage.
        ValueError: there is no such frame.
        TypeError: the source is of no such kind.
    """
    if isinstance(source, Picture):
        return _read_before(source, frame, max_pixels=max_pixels)
    notes = Notes(name_of(source))
    with quietly():
        origin: Image.Image | None = None
        if isinstance(source, Image.Image):
            image, frames, taken = _at_frame(source, notes.name, frame, max_pixels=max_pixels)
        elif isinstance(source, np.ndarray):
            image, frames, taken = _from_array(source), 1, _checked(frame, 1, notes.name)
            check_size(image.size, notes.name, max_pixels=max_pixels)
        else:
            file = open_source(source, notes, max_pixels=max_pixels)
            frames, taken = file.frames, _checked(frame, file.frames, notes.name)
            file.seek(taken, notes)
            image, origin = file.decode(notes), file.image
        if frames > 1 and frame is None and not taken:
            notes.say(f"it has {frames} frames or pages; the first one is taken")
        plain, info = upright_8bit(image, notes, origin=origin)
    warn(notes.all())
    return take_apart(plain, info, notes, frames=frames, frame=taken)


def name_of(source: object) -> str:
    """Return the name that messages give a source.

    Raises:
        TypeError: it is no ImageSource.
    """
    if isinstance(source, np.ndarray):
        return "the array"
    if isinstance(source, Image.Image | bytes | bytearray | memoryview):
        return "the image"
    try:
        return str(Path(source))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    except TypeError:
        pass
    raise TypeError(
        f"an image is a path, bytes, PIL image, uint8 array or Picture, not {type(source).__name__}"
    )


def open_source(source: str | os.PathLike[str] | bytes, notes: Notes, *, max_pixels: int) -> Opened:
    """Open a path or a file's bytes; call it `quietly`. Raises as `read_picture`."""
    if isinstance(source, str | os.PathLike):
        return opened(read_file(Path(source), max_pixels=max_pixels), notes, max_pixels=max_pixels)
    return opened(bytes(source), notes, max_pixels=max_pixels)


def take_apart(
    image: Image.Image, info: dict[str, Any], notes: Notes, *, frames: int = 1, frame: int = 0
) -> Picture:
    """A Picture of an image of mode L, LA, RGB or RGBA."""
    gray = image.mode in ("L", "LA")
    rgb = np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    alpha = None
    if image.mode in ("LA", "RGBA"):
        alpha = np.asarray(image.getchannel("A"))
        rgb = spread_visible_colours(rgb, alpha)
    return Picture(rgb, alpha, gray, info, notes.name, frames, frame, notes.all())


def _read_before(picture: Picture, frame: int | None, *, max_pixels: int) -> Picture:
    height, width = picture.rgb.shape[:2]
    check_size((width, height), picture.name, max_pixels=max_pixels)
    if frame not in (None, picture.frame):
        raise ValueError(
            f"frame is {frame}; this is frame {picture.frame} of {picture.name}: read its file again"
        )
    return picture


def _at_frame(
    image: Image.Image, name: str, frame: int | None, *, max_pixels: int
) -> tuple[Image.Image, int, int]:
    """The caller's image, at another frame if one is asked for; it is left at the one where it stood."""
    if frame is None:
        whole = decoded(image, name, max_pixels=max_pixels)
        return whole, frame_count(image), image.tell()
    frames = frame_count(image)
    before, wanted = image.tell(), _checked(frame, frames, name)
    with damage(name, f"its frame {frame} cannot be decoded"):
        image.seek(wanted)
    try:
        return decoded(image, name, max_pixels=max_pixels).copy(), frames, wanted
    finally:
        image.seek(before)


def _checked(frame: int | None, frames: int, name: str) -> int:
    if frame is None:
        return 0
    if not 0 <= frame < frames:
        raise ValueError(f"frame is {frame}; {name} has {frames}, counted from 0")
    return frame


def _from_array(array: NDArray[Any]) -> Image.Image:
    if np.any(getattr(array, "mask", False)):
        raise UnsupportedImage(
            "the array has masked values, which no picture can show; fill them: array.filled(0)"
        )
    if array.dtype != np.uint8:
        raise UnsupportedImage(
            f"an image array must be uint8, 0 to 255; this one is {array.dtype}. {_advice(array)}"
        )
    planes = array[..., np.newaxis] if array.ndim == 2 else array
    if planes.ndim != 3 or planes.shape[2] not in _MODES:
        raise UnsupportedImage(
            f"an image array has shape [H, W] or [H, W, 1 to 4]; this one has {list(array.shape)}"
        )
    if planes.size == 0:
        raise EmptyImage(f"the array has no pixels: its shape is {list(array.shape)}")
    flat = planes[:, :, 0] if planes.shape[2] == 1 else planes
    return Image.fromarray(np.ascontiguousarray(flat))


def _advice(array: NDArray[Any]) -> str:
    if array.dtype.kind == "f":
        return "If it runs from 0 to 1, send (array * 255).round().clip(0, 255).astype('uint8')."
    if array.dtype == np.uint16:
        return "If it runs to 65535, send (array // 257).astype('uint8')."
    return "Convert it with astype('uint8') once its values are 0 to 255."
