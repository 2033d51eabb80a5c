"""Image files and bytes to a loaded PIL image, with every way to fail turned into an ImageError."""

from __future__ import annotations

import contextlib
import io
import threading
import warnings
from collections.abc import Generator
from pathlib import Path
from typing import Final

from PIL import Image, UnidentifiedImageError

from impasto.client.errors import EmptyImage, ImageTooLarge, NotAnImage, TruncatedImage

MAX_PIXELS: Final = 89_478_485
"""Default limit of a picture's pixels: Pillow's own warning limit. It is 268 MB as RGB, four times that doubled."""

# What nearly every picture is; Pillow imports only these readers at first, the rest costs a tenth of a
# second.
_COMMON: Final = ("JPEG", "PNG", "GIF", "BMP", "PPM")
# Others whose first bytes leave no doubt. WebP and AVIF are decoded when they are opened, so damage shows there.
_SIGNED: Final = ("WEBP", "AVIF", "TIFF", "JPEG2000")
# EPS starts Ghostscript on the data; WMF needs the Windows renderer. Neither is for pictures of unknown
# origin.
_REFUSED: Final = frozenset({"EPS", "WMF"})

_filters = threading.Lock()


@contextlib.contextmanager
def quietly() -> Generator[None, None, None]:
    """Without Pillow's warnings: a damaged picture is an error or read as far as it goes, and says so by that alone.

    One thread at a time, for Python's list of filters is the whole process's.
    """
    with _filters, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def load(source: Path | bytes, *, max_pixels: int) -> Image.Image:
    """Open and decode an image; of an animation, the first frame.

    Call it `quietly`: Pillow warns of damage, and above a limit of its own, where ours is the one that counts.

    Raises:
        OSError: the file cannot be read.
        NotAnImage, TruncatedImage, EmptyImage, ImageTooLarge: see errors.
    """
    name = str(source) if isinstance(source, Path) else "the image"
    data = source.read_bytes() if isinstance(source, Path) else source
    if not data:
        raise EmptyImage(f"{name} is empty: 0 bytes")
    image = _open(data, name)
    return decoded(image, name, max_pixels=max_pixels)


def decoded(image: Image.Image, name: str, *, max_pixels: int) -> Image.Image:
    """The image with its pixels in memory; the size is checked first. Raises as `load`."""
    check_size(image.size, name, max_pixels=max_pixels)
    try:
        image.load()
    except MemoryError:
        raise
    except Exception as error:  # decoders meet damaged data with a dozen exception types
        raise TruncatedImage(f"{name} is incomplete or damaged: {error}") from error
    return image


def check_size(size: tuple[int, int], name: str, *, max_pixels: int) -> None:
    """EmptyImage if there is no pixel, ImageTooLarge if there are more than `max_pixels`."""
    width, height = size
    if width < 1 or height < 1:
        raise EmptyImage(f"{name} has no pixels: it is {width} x {height}")
    if width * height > max_pixels:
        raise ImageTooLarge(
            f"{name} has {width} x {height} = {width * height:,} pixels and the limit is {max_pixels:,}; "
            "raise max_pixels if you trust it, or make it smaller"
        )


def _open(data: bytes, name: str) -> Image.Image:
    try:
        try:
            return Image.open(io.BytesIO(data), formats=_COMMON)
        except UnidentifiedImageError:
            Image.init()
            return Image.open(io.BytesIO(data), formats=sorted(set(Image.OPEN) - _REFUSED))
    except Image.DecompressionBombError as error:
        raise ImageTooLarge(
            f"{name} is beyond Pillow's own limit ({error}); see PIL.Image.MAX_IMAGE_PIXELS"
        ) from error
    except MemoryError:
        raise
    except Exception as error:  # as above; UnidentifiedImageError is only the most usual
        if _has_signature(data):
            raise TruncatedImage(
                f"{name} is incomplete or damaged: its format is known, the rest is not"
            ) from error
        raise NotAnImage(
            f"{name} is not an image that can be read (PNG, JPEG, WebP, TIFF, BMP, ...)"
        ) from error


def _has_signature(data: bytes) -> bool:
    """Whether the data starts as a usual format does, though its reader refused it."""
    acceptors = (Image.OPEN[kind][1] for kind in (*_COMMON, *_SIGNED) if kind in Image.OPEN)
    return any(accepts is not None and accepts(data[:16]) is True for accepts in acceptors)
