"""Colours under full transparency, which files fill with anything, made harmless."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_REACH: Final = 6
"""The pixels to each side that an upscaler looks at, unless something else is known."""

_BAND: Final = 512
"""Rows that are worked on at once."""


def spread_visible_colours(
    rgb: NDArray[np.uint8], alpha: NDArray[np.uint8], *, reach: int = _REACH
) -> NDArray[np.uint8]:
    """Replace the colours of fully transparent pixels near visible ones by the mean of their visible
    neighbours.

    An enlarged pixel mixes its neighbourhood, so the black (or whatever) that a file keeps under transparency
    would draw a fringe around the visible part. Colours spread outwards one pixel a pass, `reach` passes;
    farther out they cannot matter and stay. Visible and half-visible pixels are never changed.

    Args:
        rgb: uint8 [H, W, 3].
        alpha: uint8 [H, W].
        reach: how far the model looks to each side, in pixels.
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
