"""Training pairs: pictures in both resolutions, places of patches that are worth training on, and changes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from impasto.export.errors import ExportError
from impasto.export.upscale.degradation import DEGRADATIONS, clean
from impasto.export.upscale.photos import (
    LeftOut,
    Photo,
    Pixels,
    bicubic,
    crop_to_multiple,
    read_photos,
    shrink,
)
from impasto.export.upscale.presets import Recipe

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


Batch: TypeAlias = tuple[Pixels, Pixels]
"""Patches in the low resolution [B, P, P, 3], and the originals under them [B, factor * P, factor * P, 3]."""


@dataclass(frozen=True)
class Places:
    """The corners of a factor's patches: int32 [N, 3], each the number of a picture, and its row and column there."""

    factor: int
    corners: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.corners)


class TrainingPictures:
    """Photos at each of the recipe's sizes, and the places in them that bicubic interpolation enlarges worst.

    Args:
        photos: the photos, no larger than the recipe's largest size.
        recipe: the recipe.
        factors: the factors to train.
        on_picture: called after each picture.

    Raises:
        ExportError: the photos are too few or too small for a batch.
    """

    def __init__(
        self,
        photos: Iterable[Photo],
        recipe: Recipe,
        factors: tuple[int, ...],
        *,
        on_picture: Callable[[], None] = lambda: None,
    ) -> None:
        self.recipe = recipe
        self.originals: list[Pixels] = []
        self._clean: dict[int, list[Pixels]] = {}
        found: dict[int, list[NDArray[np.float64]]] = {factor: [] for factor in factors}
        for photo in photos:
            number = len(self.originals)
            self.originals.append(photo.pixels)
            for factor in factors:
                found[factor].append(_rated(photo.pixels, number, factor, recipe))
            on_picture()
        self.places = {
            factor: _hardest(np.concatenate(rated), factor, recipe) for factor, rated in found.items()
        }

    def low_resolution(self, factor: int, *, seed: tuple[int, ...]) -> list[Pixels]:
        """Return each picture's low-resolution version, worn by chances that depend on the seed alone."""
        if factor in self._clean:
            return self._clean[factor]
        degrade = DEGRADATIONS[self.recipe.degradation]
        low = [
            degrade(
                crop_to_multiple(original, factor), factor, np.random.default_rng((*seed, factor, number))
            )
            for number, original in enumerate(self.originals)
        ]
        if degrade is clean:
            self._clean[factor] = low
        return low

    def batch(self, low: list[Pixels], factor: int, rng: np.random.Generator) -> Batch:
        """Return random patches, mirrored and transposed at random, all alike."""
        side = self.recipe.patch_size
        corners = self.places[factor].corners
        chosen = corners[rng.integers(len(corners), size=self.recipe.batch_size)]
        inputs: Pixels = np.stack([low[n][y : y + side, x : x + side] for n, y, x in chosen])
        side *= factor
        targets: Pixels = np.stack(
            [self.originals[n][y : y + side, x : x + side] for n, y, x in chosen * (1, factor, factor)]
        )
        return flip_and_transpose(inputs, targets, rng.random(3) < 0.5)


def read_at_sizes(folder: Path, recipe: Recipe, *, on_unreadable: LeftOut | None = None) -> Iterator[Photo]:
    """Read a folder's photos at each of the recipe's sizes; see `read_photos`."""
    for side in recipe.longest_sides:
        yield from read_photos(folder, longest_side=side, on_unreadable=on_unreadable)


def _rated(original: Pixels, number: int, factor: int, recipe: Recipe) -> NDArray[np.float64]:
    """Rate the patches of a picture: [N, 4], the mean squared error of bicubic enlargement, picture, row, column."""
    whole = crop_to_multiple(original, factor)
    side = recipe.patch_size
    if min(whole.shape[:2]) < side * factor:
        return np.empty((0, 4))
    error = np.mean(np.square(whole.astype(np.float32) - bicubic(shrink(whole, factor), factor)), axis=2)
    height, width = (length // factor for length in error.shape)
    error = error.reshape(height, factor, width, factor).mean(axis=(1, 3), dtype=np.float64)
    sums = np.pad(error, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    rows, columns = (np.arange(0, length - side + 1, recipe.stride) for length in (height, width))
    y, x = (grid.ravel() for grid in np.meshgrid(rows, columns, indexing="ij"))
    total = sums[y + side, x + side] - sums[y, x + side] - sums[y + side, x] + sums[y, x]
    return np.stack([total / side**2, np.full(len(y), number), y, x], axis=1)


def _hardest(rated: NDArray[np.float64], factor: int, recipe: Recipe) -> Places:
    if not len(rated):
        raise ExportError(
            f"no photo is large enough for a patch of {recipe.patch_size * factor} pixels; add larger photos"
        )
    threshold = np.quantile(rated[:, 0], 1 - recipe.kept)
    return Places(factor, rated[rated[:, 0] >= threshold, 1:].astype(np.int32))
