"""The recipes of a dream: the numbers that a job takes where it names none, and what makes the gradient smooth."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple


class Recipe(NamedTuple):
    """A way to dream.

    Attributes:
        steps: gradient steps at each octave; None takes what the model suggests.
        step_size: a part of the range -1..1; None takes what the model suggests.
        octave_scale: ratio of the octaves' sides; None takes what the model suggests.
        octaves: powers of `octave_scale`; None takes what the model suggests.
        smoothing: standard deviations in pixels of the gradient's blurred copies; none leaves the gradient as it is.
        shift: the most pixels by which a step sees the picture shifted.
        fade_in: the first steps of each octave, which grow to the whole step.
        details: how much of the picture's own detail each octave begins with, 0 to 1.
    """

    steps: int | None = None
    step_size: float | None = None
    octave_scale: float | None = None
    octaves: tuple[int, ...] | None = None
    smoothing: tuple[float, ...] = ()
    shift: int = 0
    fade_in: int = 0
    details: float = 0.0


FINE: Final = "fine"

RECIPES: Final[Mapping[str, Recipe]] = MappingProxyType(
    {
        # Gradients are divided by their standard deviation, so these numbers suit every network. A shift of 16 to both
        # sides moves the grid of all strides up to 32.
        FINE: Recipe(
            steps=20,
            step_size=0.015,
            octave_scale=1.3,
            octaves=(-2, -1, 0),
            smoothing=(0.5, 1.0, 2.0),
            shift=16,
            fade_in=5,
            details=1.0,
        ),
        "classic": Recipe(),
    }
)
"""The recipes by name."""
