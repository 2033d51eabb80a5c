"""Pictures' files as the arrays that an input of a signature takes, in the range of numbers that its model wants."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client._wire.tensor_proto import OF_ML_DTYPES, ml_dtype
from impasto.client.model import TensorInfo, shape_text
from impasto.client.pictures import Picture, read_picture

_WHITE: Final = 255.0


@dataclass(frozen=True)
class PixelRange:
    """The numbers for black and for white."""

    black: float
    white: float

    @classmethod
    def parse(cls, text: str) -> PixelRange:
        """Read `0..1`. Raises ValueError, which says what it must be."""
        low, dots, high = text.partition("..")
        try:
            black, white = float(low), float(high)
        except ValueError:
            black = white = math.nan
        if not dots or not (math.isfinite(black) and math.isfinite(white)) or black == white:
            raise ValueError(f"{text!r} is no range of pixels; write it as 0..255, 0..1 or -1..1")
        return cls(black, white)

    def of_pixels(self, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return the model's numbers for a picture's."""
        return self.black + pixels.astype(np.float64) * ((self.white - self.black) / _WHITE)

    def to_pixels(self, numbers: NDArray[Any]) -> NDArray[np.uint8]:
        """Return the picture's for the model's, rounded; beyond the range they are black or white, and so is NaN."""
        scaled = (numbers.astype(np.float64) - self.black) * (_WHITE / (self.white - self.black))
        return np.nan_to_num(np.rint(np.clip(scaled, 0, _WHITE))).astype(np.uint8)


_BATCH_RANK = 4


def picture_as_input(
    info: TensorInfo, path: Path, *, pixels: PixelRange | None, max_pixels: int
) -> NDArray[Any]:
    """Return a picture's pixels [H, W, C], or [1, H, W, C] unless the input has three dimensions.

    Gray, RGB or RGBA as the input's last dimension says; RGB where it is free. A picture is never resized.

    Args:
        info: the input.
        path: the picture's file.
        pixels: the range that an input of floats takes; None where nobody said.
        max_pixels: the largest width times height.

    Raises:
        ValueError: the input takes no picture, or one of floats without `pixels`; says what to do.
        ImageError, OSError: the file cannot be used.
    """
    if info.shape is not None and len(info.shape) not in (_BATCH_RANK - 1, _BATCH_RANK):
        raise ValueError(
            f"the input is {info.dtype} {shape_text(info.shape)}, which is no picture; give numbers or a .npy file"
        )
    picture = read_picture(path, max_pixels=max_pixels)
    array: NDArray[Any] = _channels(picture, None if info.shape is None else info.shape[-1])
    if info.dtype != "uint8":
        array = _as_floats(array, info, pixels)
    return array if info.shape is not None and len(info.shape) < _BATCH_RANK else array[None]


def _channels(picture: Picture, count: int | None) -> NDArray[np.uint8]:
    if count == 1:
        return np.asarray(Image.fromarray(picture.rgb).convert("L"))[..., None]
    if count in (None, 3):
        return picture.rgb
    if count != 4:
        raise ValueError(f"the input has {count} channels, which no picture has; give a .npy file")
    alpha = np.full(picture.rgb.shape[:2], 255, np.uint8) if picture.alpha is None else picture.alpha
    return np.concatenate([picture.rgb, alpha[..., None]], axis=-1)


def _as_floats(array: NDArray[np.uint8], info: TensorInfo, pixels: PixelRange | None) -> NDArray[Any]:
    dtype = ml_dtype(info.dtype) if info.dtype in OF_ML_DTYPES else None
    if info.dtype not in ("float16", "float32", "float64") and (
        dtype is None or info.dtype in ("int4", "uint4")
    ):
        raise ValueError(f"the input is {info.dtype}, for which a picture has no meaning; give a .npy file")
    if pixels is None:
        raise ValueError(
            f"the input is {info.dtype}, and only the model's maker knows the range of its pixels; "
            "say it (`pixels`): 0..255, 0..1 or -1..1"
        )
    return pixels.of_pixels(array).astype(dtype or info.dtype)
