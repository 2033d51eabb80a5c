"""Keep a picture's colours under another brightness."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

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
