"""Colours of 16 bits a channel, of which Pillow keeps the high byte, rounded to 8 bits."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from impasto.client.pictures._exif import several

Opener = Callable[[], ImageFile.ImageFile]
"""Opens the same file once more, at the same frame."""

_BAND: Final = 256
# Pillow's names of sample layouts: the high byte comes first (B) or second (L), or as this machine has it (N).
_HIGH_FIRST: Final = ";16B"
_LOW_FIRST: Final = ";16L"
_NATIVE: Final = ";16N"
_MULTIPLIED: Final = "RGBa"
_SWAPPED: Final = {
    _HIGH_FIRST: _LOW_FIRST,
    _LOW_FIRST: _HIGH_FIRST,
    _NATIVE: _HIGH_FIRST if sys.byteorder == "little" else _LOW_FIRST,
}


def is_deep(image: Image.Image) -> bool:
    """Tell whether an image that is not decoded yet has colours, or gray with alpha, of 16 bits a channel."""
    layouts = [_layout(tile) for tile in getattr(image, "tile", ())]
    return bool(layouts) and all(
        name[-4:] in _SWAPPED and name[:2] != "I;" and (name[:4] != _MULTIPLIED or _is_multiplied(name))
        for name in layouts
    )


def decoded_deep(image: ImageFile.ImageFile, again: Opener) -> Image.Image:
    """Decode both bytes of each sample, apply the transparent colour, and round to 8 bits.

    Args:
        image: opened, not decoded.
        again: opens it a second time.

    Returns:
        An image of mode RGB, RGBA, LA or CMYK, each sample the rounded 255/65535 of the file's.
    """
    if all(_layout(tile).startswith("LA") for tile in image.tile):
        return _gray_with_alpha(image)
    # Or Pillow would divide such colours by their alpha, each byte on its own.
    is_multiplied = all(_is_multiplied(_layout(tile)) for tile in image.tile)
    if is_multiplied:
        image.tile = [_relaid(tile, _straight(_layout(tile))) for tile in image.tile]
    other = again()
    other.tile = [_relaid(tile, _swapped(_straight(_layout(tile)))) for tile in other.tile]
    image.load()
    other.load()
    high, low = np.asarray(image), np.asarray(other)
    if is_multiplied:
        return Image.fromarray(_divided(high, low))
    key: Any = image.info.get("transparency")
    if image.mode == "CMYK":  # which an array of four channels is not by itself
        return Image.frombytes("CMYK", image.size, _rounded(high, low).tobytes())
    result = _image(high, low)
    if image.mode == "RGB" and len(several(key)) == 3:
        wanted = np.asarray(key, np.uint16)
        hidden = ((high == wanted >> 8) & (low == wanted & 255)).all(axis=2)
        result.putalpha(Image.fromarray(np.where(hidden, 0, 255).astype(np.uint8)))
    return result


def _gray_with_alpha(image: ImageFile.ImageFile) -> Image.Image:
    """Four bytes a pixel, which Pillow has a layout for: gray's two and alpha's two."""
    image.tile = [_relaid(tile, "RGBA") for tile in image.tile]
    image.load()
    samples = np.asarray(image)
    return _image(samples[:, :, 0::2], samples[:, :, 1::2])


def _image(high: NDArray[np.uint8], low: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(_rounded(high, low))


def _rounded(high: NDArray[np.uint8], low: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(256 high + low) / 257, rounded: it is high + (low - high) / 257."""
    result = np.empty_like(high)
    for top in range(0, len(high), _BAND):  # a wider type only for a few rows at once
        rows = slice(top, top + _BAND)
        difference = low[rows].astype(np.int16) - high[rows]
        result[rows] = high[rows] + (difference > 128) - (difference < -128)
    return result


def _divided(high: NDArray[np.uint8], low: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Colours that are multiplied by their alpha, divided by it; black where it is zero."""
    result = np.empty_like(high)
    for top in range(0, len(high), _BAND):
        rows = slice(top, top + _BAND)
        exact = high[rows] * np.float32(256) + low[rows]
        alpha = exact[..., 3:]
        exact[..., :3] *= np.divide(65535, alpha, out=np.zeros_like(alpha), where=alpha > 0)
        result[rows] = np.rint(exact.clip(0, 65535) / 257).astype(np.uint8)
    return result


def _is_multiplied(layout: str) -> bool:
    """Tell whether the layout is four samples, the colours multiplied by alpha; further samples are another one."""
    return layout[:-4] == _MULTIPLIED and layout[-4:] in _SWAPPED


def _straight(layout: str) -> str:
    return "RGBA" + layout[-4:] if _is_multiplied(layout) else layout


def _layout(tile: Any) -> str:
    arguments = tile[3]
    first = arguments if isinstance(arguments, str) or not arguments else arguments[0]
    return first if isinstance(first, str) else ""


def _swapped(layout: str) -> str:
    return layout[:-4] + _SWAPPED[layout[-4:]]


def _relaid(tile: Any, layout: str) -> Any:
    """The tile with another layout; a named tuple in newer Pillows."""
    arguments = layout if isinstance(tile[3], str) else (layout, *tile[3][1:])
    relaid = (*tile[:3], arguments)
    return type(tile)(*relaid) if hasattr(tile, "_fields") else relaid
