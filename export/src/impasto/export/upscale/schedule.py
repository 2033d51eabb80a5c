"""The course of a training from 0 to 1, by epochs or by minutes, and what depends on it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from impasto.export.upscale.presets import FACTORS, Recipe


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
