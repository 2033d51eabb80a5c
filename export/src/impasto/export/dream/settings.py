"""What suits each backbone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a backbone dreams well with.

    Attributes:
        layers: weights by layer; these are taken when a request sends none.
        steps: gradient steps an octave.
        step_size: of a step, as a part of the range -1..1.
        octave_scale: ratio of the octaves' sides.
        octaves: the powers of `octave_scale`.
    """

    layers: Mapping[str, float]
    steps: int = 100
    step_size: float = 0.01
    octave_scale: float = 1.3
    octaves: tuple[int, ...] = (-2, -1, 0, 1, 2)


SETTINGS: Final[Mapping[str, Settings]] = MappingProxyType(
    {
        "inception_v3": Settings(layers=MappingProxyType({"mixed3": 1.0, "mixed5": 1.0})),
        # VGG19 is steeper: twenty longer steps draw eyes and faces, forty saturate.
        "vgg19": Settings(
            layers=MappingProxyType({"block4_conv3": 1.0, "block5_conv2": 8.0}),
            steps=20,
            step_size=0.02,
            octaves=(-2, -1, 0),
        ),
    }
)
"""By the backbone's name."""
