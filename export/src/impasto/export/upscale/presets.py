"""The sizes of the project's own upscaler, how each is trained, and the course of a training from 0 to 1."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True)
class Course:
    """The part of a training that is done, from where a run of it begins.

    Attributes:
        begun: the part that was done when the run began.
        left: the epochs that are left; with `seconds_left`, they do not count.
        seconds_left: the seconds that are left: the course then fits the clock, however fast the machine is.
    """

    begun: float
    left: int
    seconds_left: float | None = None

    def at(self, epochs: float, seconds: float) -> float:
        """Return the part that is done, 0 to 1, after so many epochs and seconds of this run."""
        run = epochs / self.left if self.seconds_left is None else seconds / self.seconds_left
        return 1.0 if run >= 1 else self.begun + (1 - self.begun) * run


def learning_rate(recipe: Recipe, progress: float) -> float:
    """Return Adam's step size: it rises in a line, then falls to zero along half a cosine."""
    if progress < recipe.warm_up:
        return recipe.learning_rate * (0.04 + 0.96 * progress / recipe.warm_up)
    rest = (progress - recipe.warm_up) / (1 - recipe.warm_up)
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * rest))


def next_factor(recipe: Recipe, progress: float, chance: float) -> int:
    """Return the factor that a step trains, by a chance in 0..1."""
    first, *others = FACTORS
    if progress < recipe.alone or chance < recipe.first_share:
        return first
    return others[int((chance - recipe.first_share) / (1 - recipe.first_share) * len(others))]


FACTORS: Final = (2, 3, 4)
"""The factors that each network has a tail for; the first is what most people ask for, and most of the training."""


@dataclass(frozen=True)
class Size:
    """The size of a network.

    Attributes:
        name: the name on the command line.
        channels: the features of a pixel in the body.
        layers: the number of 3x3 convolutions from the picture to the result, the first and the last included: even.
    """

    name: str
    channels: int
    layers: int

    @property
    def reach(self) -> int:
        """The pixels of the low-resolution picture that a pixel of the result depends on to each side."""
        return self.layers


SIZES: Final[Mapping[str, Size]] = MappingProxyType(
    {
        size.name: size
        for size in (
            Size("small", channels=16, layers=12),
            Size("base", channels=32, layers=12),
            Size("large", channels=64, layers=20),
        )
    }
)
"""Sizes by name: `small` takes at most a third of SRCNN's time for factor 2, `base` at most its time, `large` some
four times it, for worn pictures above all: to tell what JPEG did from what was there takes a wider look."""


_WIDE: Final = 16
"""The reach in pixels above which patches are larger, so that most of a patch's pixels have all that they look at, and
steps smaller, as deep networks need them."""


@dataclass(frozen=True)
class Recipe:
    """A training recipe.

    Attributes:
        size: the name of the network's size.
        degradation: the name of what happens to pictures before the network sees them: see `degradation.py`.
        epochs: the number of epochs, unless a number of minutes is given.
        steps: the steps of an epoch.
        batch_size: patches a step, all of one factor.
        patch_size: the side of a patch in pixels of the low resolution.
        stride: the pixels of the low resolution from one patch to the next.
        kept: the part of the patches that is kept: those that bicubic interpolation enlarges worst.
        longest_sides: each photo is reduced to each of these, so that it is sharp at pixel level and seen at two sizes.
        learning_rate: Adam's largest step size, reached after `warm_up` of the training, and lowered to zero along
            half a cosine.
        warm_up: the part of the training in which the step size rises.
        alone: the part of the training, at its beginning, that sees only the first factor.
        first_share: the part of the later steps that train the first factor; the other factors share the rest.
        compute: the dtype in which convolutions are trained: "float32", or "bfloat16", which processors that have it
            compute several times as fast. Weights are float32 either way, and so is what is exported.
        absolute: the part of the training, at its beginning, that lowers absolute errors, which is quicker; the rest
            lowers squared ones, which PSNR measures, and which sharpen dense detail with more care.
    """

    size: str
    degradation: str = "none"
    epochs: int = 40
    steps: int = 1000
    batch_size: int = 16
    patch_size: int = 32
    stride: int = 8
    kept: float = 0.6
    longest_sides: tuple[int, ...] = (1600, 900, 600)
    learning_rate: float = 1.5e-3
    warm_up: float = 0.1
    alone: float = 0.6
    first_share: float = 0.5
    absolute: float = 0.5
    compute: str = "float32"

    def as_dict(self) -> dict[str, object]:
        """The recipe as plain values for the manifest."""
        return {**asdict(self), "longest_sides": list(self.longest_sides)}


def recipe(size: str, degradation: str, *, is_continued: bool = False) -> Recipe:
    """Return the recipe of a size and a degradation.

    Args:
        size: the name of the size.
        degradation: the name of the degradation.
        is_continued: the training goes on from weights of another one: shorter, with smaller steps, and all factors
            from the beginning.
    """
    whole = Recipe(size, degradation)
    if SIZES[size].reach > _WIDE:
        whole = replace(whole, patch_size=48, learning_rate=8e-4)
    return replace(whole, epochs=8, steps=2000, learning_rate=7e-4, alone=0.0) if is_continued else whole


def model_name(size: str, degradation: str) -> str:
    """Return the name under which a network is published: `upscaler-small`, or `upscaler-small-real`."""
    return f"upscaler-{size}" if degradation == "none" else f"upscaler-{size}-{degradation}"
