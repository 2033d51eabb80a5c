"""Changes of training pairs by which a photo is worth several."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

InputT = TypeVar("InputT", bound=np.generic)
PixelT = TypeVar("PixelT", bound=np.generic)


def flip_and_transpose(
    inputs: NDArray[InputT], targets: NDArray[PixelT], choice: NDArray[np.bool_]
) -> tuple[NDArray[InputT], NDArray[PixelT]]:
    """Mirror and transpose a whole batch alike; `choice` is three booleans: vertical, horizontal, transpose."""
    axes = [axis for axis, chosen in zip((1, 2), choice, strict=False) if chosen]
    if axes:
        inputs, targets = np.flip(inputs, axes), np.flip(targets, axes)
    if choice[2]:
        inputs, targets = np.swapaxes(inputs, 1, 2), np.swapaxes(targets, 1, 2)
    return inputs, targets
