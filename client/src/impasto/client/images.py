"""Pictures as the models see them: 8-bit RGB. What the models cannot see is kept aside and put back afterwards."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from impasto.client.pictures import (
    MAX_PIXELS,
    check_size,
    decoded,
    load,
    quietly,
    spread_visible_colours,
    upright_8bit,
)
from numpy.typing import NDArray
from PIL import Image

from impasto.client.errors import EmptyImage, UnsupportedImage

__all__ = ["MAX_PIXELS", "ImageSource", "Picture", "read_picture"]

ImageSource: TypeAlias = str | os.PathLike[str] | bytes | Image.Image | NDArray[np.uint8]
"""A path, an image file's bytes, a PIL image, or a uint8 array [H, W] or [H, W, C].

C is 1 for gray, 2 for gray and alpha, 3 for RGB, 4 for RGB and alpha.
"""

# The PIL mode of a uint8 array's last dimension: gray, gray with alpha, colour, colour with alpha.
_MODES: Final = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture taken apart.

    Attributes:
        rgb: uint8 [H, W, 3], what a model works on. Colours under full transparency, which nobody sees, are
            replaced by those of the nearest visible pixels so that they do not bleed into the visible ones.
        alpha: uint8 [H, W], or None for an opaque picture.
        gray: whether the picture has no colour, so that the result should have none either.
        info: what is carried into the result as it is: `icc_profile` (bytes) and `dpi` (pair of floats), if
            present.
    """

    rgb: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None
    gray: bool = False
    info: dict[str, Any] = field(default_factory=dict)

    def rebuild(self, rgb: NDArray[np.uint8]) -> Image.Image:
        """The result as an image like this picture: gray if it was gray, with its alpha, profile and
        resolution.

        Args:
            rgb: uint8 [h, w, 3] of any size; alpha is resized to it bicubically.

        Returns:
            A PIL image of mode L, LA, RGB or RGBA.
        """
        image = Image.fromarray(rgb)
        if self.gray:
            image = image.convert("L")
        if self.alpha is not None:
            image.putalpha(Image.fromarray(self.alpha).resize(image.size, Image.Resampling.BICUBIC))
        image.info.update(self.info)
        return image


def read_picture(source: ImageSource, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read a picture from whatever the caller has.

    EXIF orientation is applied. Palettes become RGB(A); CMYK becomes RGB through its profile if it has one;
    1-bit is gray; 16-bit gray is divided by 257; of an animation the first frame is taken. Other metadata is
    dropped.

    Args:
        source: see ImageSource.
        max_pixels: the largest width times height that is decoded.

    Raises:
        OSError: a file cannot be opened.
        ImageError: NotAnImage, TruncatedImage, EmptyImage, ImageTooLarge or UnsupportedImage.
        TypeError: the source is of no such kind.
    """
    with quietly():
        image, info = upright_8bit(*_loaded(source, max_pixels))
    return _take_apart(image, info)


def _loaded(source: ImageSource, max_pixels: int) -> tuple[Image.Image, str]:
    """The image with its pixels in memory, and what errors call it."""
    if isinstance(source, np.ndarray):
        image = _from_array(source)
        check_size(image.size, "the array", max_pixels=max_pixels)
        return image, "the array"
    if isinstance(source, Image.Image):
        return decoded(source, "the image", max_pixels=max_pixels), "the image"
    if isinstance(source, bytes | bytearray | memoryview):
        return load(bytes(source), max_pixels=max_pixels), "the image"
    try:
        path = Path(source)
    except TypeError as error:
        raise TypeError(
            f"an image is a path, bytes, PIL image or uint8 array, not {type(source).__name__}"
        ) from error
    return load(path, max_pixels=max_pixels), str(source)


def _take_apart(image: Image.Image, info: dict[str, Any]) -> Picture:
    gray = image.mode in ("L", "LA")
    rgb = np.asarray(image.convert("RGB"))
    if image.mode not in ("LA", "RGBA"):
        return Picture(rgb, None, gray, info)
    alpha = np.asarray(image.getchannel("A"))
    return Picture(spread_visible_colours(rgb, alpha), alpha, gray, info)


def _from_array(array: NDArray[Any]) -> Image.Image:
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
