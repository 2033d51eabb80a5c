"""TIFF files: which kinds are not read, the room that large ones need, and what their decoder says of them.

That is libtiff, which would print it on standard error, past Python.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import threading
from collections.abc import Generator
from functools import cache
from typing import Any, Final

from PIL import Image, _imaging

from impasto.client.errors import UnsupportedImage
from impasto.client.pictures._exif import several
from impasto.client.pictures._notes import Notes

_Handler: Final = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)

_lock = threading.Lock()
_inside = 0
_before: int | None = None
_here = threading.local()


@contextlib.contextmanager
def listening() -> Generator[list[str], None, None]:
    """Collect what libtiff says in this thread, as its formats without their values.

    libtiff has one handler for the whole process. The one that was there is back when the last thread has left.
    """
    global _inside, _before
    said: list[str] = []
    setter = _setter()
    if setter is None:
        yield said
        return
    with _lock:
        if not _inside:
            _before = setter(ctypes.cast(_handler, ctypes.c_void_p))
        _inside += 1
    outer, _here.said = getattr(_here, "said", None), said
    try:
        yield said
    finally:
        _here.said = outer
        with _lock:
            _inside -= 1
            if not _inside:
                setter(_before)


def _hear(_: bytes | None, words: bytes | None, __: int | None) -> None:
    said: list[str] | None = getattr(_here, "said", None)
    if said is not None and words is not None:
        said.append(words.decode("ascii", "replace"))


_handler: Final = _Handler(_hear)  # kept, for libtiff holds a bare pointer to it


@cache
def _setter() -> Any:
    """TIFFSetErrorHandler of the libtiff that Pillow is linked with; None where that shows no such function."""
    try:
        function = ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler
    except (AttributeError, OSError, TypeError):
        return None
    function.argtypes, function.restype = [ctypes.c_void_p], ctypes.c_void_p
    return function


# TIFF's tags, TIFF 6.0, section 8.
_BITS: Final = 258
_COMPRESSION: Final = 259
_SAMPLES: Final = 277
_PLANES: Final = 284
_EXTRA: Final = 338
_FORMAT: Final = 339
_SEPARATE: Final = 2

_NUMBERS: Final = {1: "whole", 2: "signed", 3: "floating-point", 5: "complex"}
_READ_BITS: Final = frozenset({1, 2, 4, 8, 16})
_ALPHA: Final = (2,)
"""One sample beside the gray or the colours: an alpha that they are not multiplied by."""


@contextlib.contextmanager
def heard(kind: str | None, notes: Notes) -> Generator[None, None, None]:
    """Note what libtiff says of a TIFF file, which decodes on where it can."""
    if kind != "TIFF":
        yield
        return
    with listening() as said:
        try:
            yield
        except OSError as error:
            if any("not configured" in words for words in said):
                raise UnsupportedImage(
                    f"{notes.name} is compressed in a way that the Pillow installed here was built without; "
                    "save it with another compression, or as PNG"
                ) from error
            raise
    if said:
        notes.say("it is damaged, and some of its pixels may be wrong")


def refuse_planes(image: Image.Image, name: str) -> None:
    """UnsupportedImage for a TIFF file of 16-bit planes, one after the other, which Pillow reads as 8-bit ones."""
    tags = getattr(image, "tag_v2", {})
    if tags.get(_PLANES) == _SEPARATE and max(tags.get(_BITS, (8,))) > 8 and len(image.getbands()) > 1:
        raise UnsupportedImage(
            f"{name} holds each colour's 16-bit plane by itself; save it with interleaved colours, or as PNG"
        )


def make_room(image: Image.Image, max_pixels: int) -> None:
    """Reserve a large TIFF's pixels, or its largest tile's, as Pillow does below its own limit; it refuses others."""
    size = getattr(image, "_tile_size", None)
    own = Image.MAX_IMAGE_PIXELS
    if size is not None and own is not None and 2 * own < size[0] * size[1] <= max_pixels:
        image.im = Image.new(image.mode, size, None).im


def refuse_kind(data: bytes, name: str, refusal: Exception) -> None:
    """UnsupportedImage for a file that Pillow refused if it is sound and of a kind that is not read."""
    kind = _unread_kind(data)
    if kind:
        raise UnsupportedImage(
            f"{name} is a kind of TIFF that is not read: {kind}; save it as 8- or 16-bit gray or RGB, or as PNG"
        ) from refusal


def _unread_kind(data: bytes) -> str:
    """Words on why Pillow reads no such TIFF file; empty if it looks like those that it reads, or is damaged."""
    from PIL.TiffImagePlugin import COMPRESSION_INFO  # which takes a while, and few pictures need

    try:
        tags = _tags(data)
        samples = int(tags.get(_SAMPLES, 1))
        bits = [int(part) for part in several(tags.get(_BITS, 1))]
        formats = [int(part) for part in several(tags.get(_FORMAT, 1))]
        extra = tuple(several(tags.get(_EXTRA, ())))
        compression = int(tags.get(_COMPRESSION, 1))
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - the tags of a damaged file raise whatever their types do
        return ""
    if not (1 <= samples <= 64 and bits and all(1 <= part <= 64 for part in bits)):
        return ""
    if compression not in COMPRESSION_INFO:
        return f"it is compressed by method {compression}"
    is_plain = set(bits) <= _READ_BITS and set(formats) == {1} and len(set(bits)) == 1
    if is_plain and (samples == 1 or (bits[0] >= 8 and _is_usual(samples, extra))):
        return ""
    numbers = f"{bits[0]}-bit {_NUMBERS.get(formats[0], 'unknown')} numbers"
    return f"its pixels are {numbers}" if samples == 1 else f"its pixels have {samples} samples, {numbers}"


def _is_usual(samples: int, extra: tuple[Any, ...]) -> bool:
    return samples in (3, 4) or (samples == 2 and extra == _ALPHA)


def _tags(data: bytes) -> Any:
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    stream = io.BytesIO(data)
    header = stream.read(8)
    if 43 in (header[2], header[3]):
        header += stream.read(8)
    tags = ImageFileDirectory_v2(header)
    stream.seek(tags.next)
    tags.load(stream)
    return tags
