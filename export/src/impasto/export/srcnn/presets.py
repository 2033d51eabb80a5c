"""The two ways to train SRCNN: the classic recipe and the one that works better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Final

SCALE: Final = 2
"""The factor by which the result is wider and higher."""

MARGIN: Final = 6
"""Pixels that the three valid convolutions (9, 1, 5) take off each side."""

INPUT_SIZE: Final = 33
"""Side of a training patch of the bicubic image, in pixels."""

TARGET_SIZE: Final = INPUT_SIZE - 2 * MARGIN
"""Side of the original's patch that it is compared with: 21 pixels."""


@dataclass(frozen=True)
class Preset:
    """A training recipe.

    Attributes:
        name: the name on the command line.
        residual: add the bicubic image to the network's output, whose last layer starts at zero; training then starts
            at bicubic quality instead of at noise.
        pixel_scale: what pixel values are divided by before the network (1 leaves 0..255).
        pixel_mean: pixel value that the network sees as zero; inputs around zero suit the He initialisation and
            train several times faster.
        cosine_decay: lower the learning rate to zero along half a cosine instead of keeping it.
        hard_patches: keep only patches whose bicubic error is above the median; smooth sky teaches nothing.
        flips: mirror and transpose patches at random.
        patches: how many patches to draw from the photos; `None` takes all of them.
        stride: pixels from one patch to the next.
        longest_side: photos are reduced to this many pixels first, so that they are sharp at pixel level; `None`
            keeps their size.
        epochs: passes over the patches.
        batch_size: patches a step.
        learning_rate: Adam's initial step size.
    """

    name: str
    residual: bool
    pixel_scale: float
    pixel_mean: float
    cosine_decay: bool
    hard_patches: bool
    flips: bool
    patches: int | None
    stride: int = 14
    longest_side: int | None = None
    epochs: int = 12
    batch_size: int = 64
    learning_rate: float = 1e-3

    def as_dict(self) -> dict[str, object]:
        """The recipe as plain values for the manifest."""
        return asdict(self)


PRESETS: Final[Mapping[str, Preset]] = MappingProxyType(
    {
        "seed": Preset(
            "seed",
            residual=False,
            pixel_scale=1.0,
            pixel_mean=0.0,
            cosine_decay=False,
            hard_patches=False,
            flips=False,
            patches=None,
        ),
        "residual": Preset(
            "residual",
            residual=True,
            pixel_scale=255.0,
            pixel_mean=127.5,
            cosine_decay=True,
            hard_patches=True,
            flips=True,
            patches=64_000,
            stride=12,
            longest_side=1200,
            epochs=20,
        ),
    }
)
"""Recipes by name: `seed` as published (it ends near bicubic), `residual` for models people use."""
