"""A picture taken apart, and put together again around other pixels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client.pictures._metadata import CARRIED, fitting_profile
from impasto.client.pictures._notes import Notes, warn

_REACH: Final = 12
"""The pixels that colours spread. A network may look farther to each side, and the farther the less it weighs."""

_BAND: Final = 512
"""Rows that are worked on at once."""


def spread_visible_colours(
    rgb: NDArray[np.uint8], alpha: NDArray[np.uint8], *, reach: int = _REACH
) -> NDArray[np.uint8]:
    """Replace the colours of fully transparent pixels near visible ones by the mean of their visible
    neighbours.

    An enlarged pixel mixes its neighbourhood, so the black (or whatever) that a file keeps under transparency
    would draw a fringe around the visible part. Colours spread outwards one pixel a pass, `reach` passes;
    farther out they hardly matter and stay. Visible and half-visible pixels are never changed.

    Args:
        rgb: uint8 [H, W, 3].
        alpha: uint8 [H, W].
        reach: how far colours spread, in pixels.
    """
    known = alpha > 0
    if known.all() or not known.any():
        return rgb
    result = np.empty_like(rgb)
    height = len(rgb)
    # In bands, for the sums take ten times the memory of what they are of; no row beyond `reach` has a say.
    for top in range(0, height, _BAND):
        bottom = min(height, top + _BAND)
        first, last = max(0, top - reach), min(height, bottom + reach)
        spread = _spread(rgb[first:last], known[first:last], reach)
        result[top:bottom] = spread[top - first : bottom - first]
    return result


def _spread(rgb: NDArray[np.uint8], visible: NDArray[np.bool_], reach: int) -> NDArray[np.uint8]:
    known = visible.copy()
    colours = np.where(known[..., np.newaxis], rgb, 0).astype(np.uint16)
    for _ in range(reach):
        count = _neighbour_sum(known.astype(np.uint16))
        fresh = ~known & (count > 0)
        if not fresh.any():
            break
        sums = _neighbour_sum(colours)
        colours[fresh] = (sums[fresh] + count[fresh, np.newaxis] // 2) // count[fresh, np.newaxis]
        known |= fresh
    return np.where(known[..., np.newaxis], colours, rgb).astype(np.uint8)


def _neighbour_sum(values: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Each element's eight neighbours added up; outside the picture counts nothing. 8 x 255 fits 16 bits."""
    height, width = values.shape[:2]
    padded = np.pad(values, [(1, 1), (1, 1)] + [(0, 0)] * (values.ndim - 2))
    total = np.zeros_like(values)
    for dy in range(3):
        for dx in range(3):
            if (dy, dx) != (1, 1):
                total += padded[dy : dy + height, dx : dx + width]
    return total


# Of red, green and blue in luma, ITU-R BT.601, section 2.5.1.
_LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)


def keep_colours(original: NDArray[np.uint8], changed: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The luma of `changed` with the chroma of `original`, all uint8 [H, W, 3].

    In Y'CbCr a colour is Y' in each channel plus what Cb and Cr add, so with the chroma kept each channel changes by
    as much as Y' does. Colours beyond 0..255 are cut off.
    """
    before = original.astype(np.float32)
    difference = (changed.astype(np.float32) - before) @ _LUMA
    return np.clip(np.rint(before + difference[..., np.newaxis]), 0, 255).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture taken apart.

    Attributes:
        rgb: uint8 [H, W, 3], what a model works on. Colours under full transparency, which nobody sees, are
            replaced by those of the nearest visible pixels so that they do not bleed into the visible ones.
        alpha: uint8 [H, W], or None for an opaque picture.
        gray: whether the picture has no colour, so that the result should have none either.
        info: what is carried into the result, validated: `icc_profile` (bytes), `dpi` (pair of floats) and `exif`
            (bytes: date, place, author, copyright, description and camera), as far as present.
        name: what messages call it: its path, or "the image".
        frames: the number of frames or pages of its file.
        frame: which of them this is, from 0.
        notes: what was left out, mended or chosen when it was read; each begins with the name.
    """

    rgb: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None
    gray: bool = False
    info: dict[str, Any] = field(default_factory=dict)
    name: str = "the image"
    frames: int = 1
    frame: int = 0
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """The width and height."""
        return self.rgb.shape[1], self.rgb.shape[0]

    def rebuild(self, rgb: NDArray[np.uint8]) -> Image.Image:
        """The result as an image like this picture: gray if it was gray, with its alpha, profile, resolution and EXIF
        data.

        A profile that does not describe the result's pixels, as that of a gray picture which became coloured, is
        left out with a PictureWarning.

        Args:
            rgb: uint8 [h, w, 3] of any size; alpha is resized to it bicubically.

        Returns:
            A PIL image of mode L, LA, RGB or RGBA.

        Raises:
            TypeError: `rgb` is no such array.
        """
        height, width = rgb.shape[:2]
        image = self.rebuild_rows(rgb, 0, (width, height))
        image.info.update(self.info_for(image.mode))
        return image

    @property
    def mode(self) -> str:
        """The mode of results: L, LA, RGB or RGBA."""
        return ("L" if self.gray else "RGB") + ("" if self.alpha is None else "A")

    def rebuild_rows(self, rgb: NDArray[np.uint8], top: int, size: tuple[int, int]) -> Image.Image:
        """Some rows of the result, as `rebuild` returns them of the whole, without info.

        Args:
            rgb: uint8 [n, W, 3], the rows.
            top: the number of rows above them.
            size: the width and height of the whole result.

        Raises:
            TypeError: `rgb` is no such array.
        """
        image = Image.fromarray(rgb)
        if self.gray:
            image = image.convert("L")
        if self.alpha is not None:
            height, width = self.alpha.shape
            box = (0, top * height / size[1], width, (top + len(rgb)) * height / size[1])
            alpha = Image.fromarray(self.alpha)
            image.putalpha(alpha.resize(image.size, Image.Resampling.BICUBIC, box=box))
        return image

    def info_for(self, mode: str) -> dict[str, Any]:
        """The info of a result of this mode: a profile that does not fit is left out with a PictureWarning.

        Args:
            mode: L, LA, RGB or RGBA.

        Raises:
            PictureWarning: where warnings are errors.
        """
        notes = Notes(self.name)
        profile = fitting_profile(self.info.get("icc_profile"), mode, notes)
        info = {key: value for key, value in self.info.items() if key != "icc_profile"}
        warn(notes.all(), stacklevel=4)
        return info if profile is None else {**info, "icc_profile": profile}


def zoom_in(image: Image.Image, *, factor: float) -> Image.Image:
    """The middle of an image, enlarged to the image's size, with its colour profile, resolution and EXIF data.

    Args:
        image: of any mode.
        factor: how much larger things become, 1 or more; at 1.05 fourteen frames double them.

    Raises:
        ValueError: the factor is less than 1, or no number.
    """
    if not 1.0 <= factor < float("inf"):
        raise ValueError(f"factor is {factor}; it must be 1 or more")
    width, height = image.size
    left, top = (width - width / factor) / 2, (height - height / factor) / 2
    box = (left, top, width - left, height - top)
    zoomed = image.resize(image.size, Image.Resampling.BICUBIC, box=box)
    zoomed.info.update({key: image.info[key] for key in CARRIED if key in image.info})
    return zoomed
