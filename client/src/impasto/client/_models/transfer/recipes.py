"""The recipes of a transfer, by name: what it takes where its own fields say nothing."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

_NOTHING: Final[Mapping[str, float]] = MappingProxyType({})


class Recipe(NamedTuple):
    """A way to paint.

    Attributes:
        epochs: how often `steps_per_epoch` steps are done at each size.
        steps_per_epoch: optimisation steps.
        max_side: the longest side of the painting, in pixels.
        least_side: the coarsest size's longest side; None paints at one size.
        growth: how many times larger each size is than the one before.
        first: how many times as many epochs there are at the first of several sizes, where a step is cheap.
        averages: whether the result is the average of the pictures on the way, and Adam's moments go along to the next
            size.
        weights: those of the losses and the learning rate, by the job's fields; the model's suggestions for others.
        style_layers: with their weights; None for the model's.
        content_layers: with their weights; None for the model's.
        inputs: what `optimize` is sent beside all that.
    """

    epochs: int
    steps_per_epoch: int
    max_side: int = 512
    least_side: int | None = None
    growth: float = 2.0
    first: int = 1
    averages: bool = False
    weights: Mapping[str, float] = _NOTHING
    style_layers: Mapping[str, float] | None = None
    content_layers: Mapping[str, float] | None = None
    inputs: Mapping[str, float] = _NOTHING


# Gatys et al. from coarse to fine, as Crowson's style-transfer-pytorch found it best: losses whose gradients are alike
# in every layer, so that Adam needs no large epsilon, and the average of the iterates.
_FINE: Final = Recipe(
    epochs=2,
    steps_per_epoch=100,
    least_side=128,
    growth=2**0.5,
    first=2,
    averages=True,
    weights=MappingProxyType(
        {
            "style_weight": 1.0,
            "content_weight": 4.0,
            "total_variation_weight": 1000.0,
            "learning_rate": 0.02,
        }
    ),
    style_layers=MappingProxyType(
        {
            "block1_conv1": 256.0,
            "block2_conv1": 64.0,
            "block3_conv1": 16.0,
            "block4_conv1": 4.0,
            "block5_conv1": 1.0,
        }
    ),
    content_layers=MappingProxyType({"block4_conv2": 1.0}),
    inputs=MappingProxyType({"loss_kind": 1, "beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-8}),
)

RECIPES: Final = MappingProxyType(
    {
        "fine": _FINE,
        "draft": _FINE._replace(epochs=1, steps_per_epoch=20, max_side=256),
        "gallery": _FINE._replace(max_side=1024),
        "classic": Recipe(epochs=10, steps_per_epoch=100),
    }
)
"""The recipes by name: `fine` paints best, `draft` in 30 s on two cores, `gallery` large; `classic` is as published."""

FINE: Final = "fine"

CONTENT: Final = "content"
"""To begin with the content."""

NOISE: Final = "noise"
"""To begin with noise."""
