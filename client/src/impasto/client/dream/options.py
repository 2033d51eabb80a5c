"""What a person can ask of a dream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypedDict

from impasto.client.pictures import ImageSource

Layers: TypeAlias = Mapping[str, float] | Sequence[str | tuple[str, float]]
"""Layers to excite: `{"mixed3": 1.0, "mixed5": 0.5}` or, the same, `["mixed3", ("mixed5", 0.5)]`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DreamOptions:
    """How to dream. What is None takes what the served model suggests for its network.

    Attributes:
        layers: the layers to excite, each with a weight -1e6 to 1e6 (1 where none is given), not all zero. Shallow
            layers draw strokes and textures, deep ones eyes, animals and buildings. `Client.describe_dream` lists
            them.
        octaves: 1 to 32 powers of `octave_scale`: the sizes at which the picture is worked on, in this order, 0 being
            its own. Small sizes give large structures.
        octave_scale: ratio of one octave's sides to the next smaller one's, 0.1 to 10.
        steps: gradient steps at each octave, 0 to 1e9.
        step_size: how far a step moves the picture's range -1..1, 0 to 1.
        preserve_color: keep the colours of the picture and take only the brightness of the dream.
        guide: another picture, whose features to dream towards; it is shrunk to 256 pixels. None excites whatever
            the layers see in the picture itself.
        tile: the longest side, in pixels, of the pieces in which gradients are taken; 0 takes them of the whole
            picture. Pieces need less memory on the server and give another, equally good picture. None takes pieces
            of 512 pixels where an octave is larger than a megapixel.
        seed: of the tiles' random shifts; nothing depends on it without tiles.
    """

    layers: Layers | None = None
    octaves: Sequence[int] | None = None
    octave_scale: float | None = None
    steps: int | None = None
    step_size: float | None = None
    preserve_color: bool = False
    guide: ImageSource | None = None
    tile: int | None = None
    seed: int = 0


class DreamKeywords(TypedDict, total=False):
    """DreamOptions as keyword arguments of a method; see there."""

    layers: Layers | None
    octaves: Sequence[int] | None
    octave_scale: float | None
    steps: int | None
    step_size: float | None
    preserve_color: bool
    guide: ImageSource | None
    tile: int | None
    seed: int
