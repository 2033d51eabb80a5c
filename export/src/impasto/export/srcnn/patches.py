"""Training pairs: patches of the enlarged photo and what they should have been."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from impasto.export.errors import ExportError
from impasto.export.srcnn.network import enlarge
from impasto.export.srcnn.presets import INPUT_SIZE, MARGIN, SCALE, TARGET_SIZE, Preset
from impasto.export.upscale.photos import Photo, shrink

PixelT = TypeVar("PixelT", bound=np.generic)


@dataclass(frozen=True)
class Patches:
    """Aligned training pairs.

    Attributes:
        inputs: float32 [N, 33, 33, 3], the enlarged image, 0..255.
        targets: uint8 [N, 21, 21, 3], the original under the centre of each input.
    """

    inputs: NDArray[np.float32]
    targets: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.inputs)


def collect(photos: Iterable[Photo], preset: Preset, *, seed: int, on_photo: Callable[[], None]) -> Patches:
    """Cut patches from photos as the preset says.

    `preset.patches` are drawn evenly from the photos; `on_photo` is called after each photo.
    """
    rng = np.random.default_rng(seed)
    inputs: list[NDArray[np.float32]] = []
    targets: list[NDArray[np.uint8]] = []
    for photo in photos:
        found_inputs, found_targets = _cut(photo, preset.stride)
        if preset.hard_patches and len(found_inputs):
            centre = found_inputs[:, MARGIN:-MARGIN, MARGIN:-MARGIN]
            errors = np.mean(np.square(centre - found_targets), axis=(1, 2, 3))
            chosen = np.flatnonzero(errors > np.median(errors))
            found_inputs, found_targets = found_inputs[chosen], found_targets[chosen]
        inputs.append(found_inputs)
        targets.append(found_targets)
        on_photo()
    if sum(map(len, inputs)) < preset.batch_size:
        raise ExportError(
            f"the photos give {sum(map(len, inputs))} patches of {INPUT_SIZE} pixels, fewer than one batch of "
            f"{preset.batch_size}; add photos or larger ones"
        )
    if preset.patches is not None:
        shares = _shares(inputs, preset.patches)
        picks = [rng.permutation(len(part))[:share] for part, share in zip(inputs, shares, strict=True)]
        inputs = [part[pick] for part, pick in zip(inputs, picks, strict=True)]
        targets = [part[pick] for part, pick in zip(targets, picks, strict=True)]
    return Patches(np.concatenate(inputs), np.concatenate(targets))


def _cut(photo: Photo, stride: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    low = shrink(photo.pixels, SCALE).astype(np.float32)
    enlarged = enlarge(low[None])[0].numpy()
    original = photo.pixels
    if min(enlarged.shape[:2]) < INPUT_SIZE:
        return np.empty((0, INPUT_SIZE, INPUT_SIZE, 3), np.float32), np.empty(
            (0, TARGET_SIZE, TARGET_SIZE, 3), np.uint8
        )
    inner = original[MARGIN : original.shape[0] - MARGIN, MARGIN : original.shape[1] - MARGIN]
    return _windows(enlarged, INPUT_SIZE, stride), _windows(inner, TARGET_SIZE, stride)


def _windows(image: NDArray[PixelT], size: int, stride: int) -> NDArray[PixelT]:
    """Every `stride`-th square of [H, W, 3], row by row: a contiguous [N, size, size, 3]."""
    rows, columns = ((side - size) // stride + 1 for side in image.shape[:2])
    squares = [
        image[y : y + size, x : x + size]
        for y in range(0, rows * stride, stride)
        for x in range(0, columns * stride, stride)
    ]
    return np.stack(squares)


def _shares(parts: list[NDArray[np.float32]], wanted: int) -> list[int]:
    """The number of patches to take from each photo, as evenly as their number allows."""
    shares = [0] * len(parts)
    remaining = min(wanted, sum(map(len, parts)))
    # Smallest photos first: what they lack is spread over the larger ones.
    for position, index in enumerate(sorted(range(len(parts)), key=lambda i: len(parts[i]))):
        shares[index] = min(len(parts[index]), remaining // (len(parts) - position))
        remaining -= shares[index]
    return shares
