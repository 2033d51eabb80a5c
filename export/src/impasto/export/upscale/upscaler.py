"""An upscaler as the exporters know it: a network, the factors it enlarges by, and what it says of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import tensorflow as tf

from impasto.client.signatures import FACTORS
from impasto.export.errors import ExportError

Enlarge: TypeAlias = Callable[[tf.Tensor], tf.Tensor]
"""From pictures float32 [B, H, W, 3] to [B, f H, f W, 3], pixel values around 0..255; they are clipped and rounded."""

MAXIMUM_PIXELS: Final = 1 << 24
"""The pixels that a call may send unless a network says otherwise: a large photo as a whole."""

TILE: Final = 512


@dataclass(frozen=True)
class Enlarger:
    """A network's way to enlarge by one factor.

    Attributes:
        enlarge: computes it, without `tf.Variable`s that it changes.
        reach: the pixels to each side, of the picture given, that a pixel of the result depends on.
    """

    enlarge: Enlarge
    reach: int


@dataclass(frozen=True, kw_only=True)
class Upscaler:
    """A network that enlarges.

    Attributes:
        network: its name, for people.
        weights: where its weights are from, and their licence, in a line for people.
        module: holds the variables; they are saved as its attributes are named.
        enlargers: by the factor; the first is the one that a call gets which asks for none.
        overlap: the pixels that a client takes along to each side of a tile; None where it is the reach, and tiles
            joined equal the whole. Where the reach is too large for that, fewer: the client blends the tiles.
        tile: the side, in pixels, of the tiles that suit the network.
        minimum_side: the least height and width of a picture.
        maximum_pixels: the most pixels of all pictures of a call, of which the server's memory is the limit.
    """

    network: str
    weights: str
    module: tf.Module
    enlargers: dict[int, Enlarger] = field(default_factory=dict[int, Enlarger])
    overlap: int | None = None
    tile: int = TILE
    minimum_side: int = 1
    maximum_pixels: int = MAXIMUM_PIXELS

    def __post_init__(self) -> None:
        """Check that there are factors which the contract has. Raises ExportError."""
        strange = [factor for factor in self.enlargers if factor not in FACTORS]
        if strange or not self.enlargers:
            told = ", ".join(map(str, strange)) or "no factor"
            raise ExportError(
                f"{self.network} enlarges by {told}: an upscaler has factors of {', '.join(map(str, FACTORS))}"
            )

    @property
    def factors(self) -> tuple[int, ...]:
        """The factors, the first one first, the others ascending."""
        first, *others = self.enlargers
        return (first, *sorted(others))

    @property
    def reach(self) -> int:
        """The reach of the factor that reaches farthest."""
        return max(enlarger.reach for enlarger in self.enlargers.values())
