"""A transfer with every choice made: what the person asked for, completed and checked by what the model says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from impasto.client._values import either, real, whole
from impasto.client.dream.layers import layer_weights
from impasto.client.errors import InvalidInput
from impasto.client.stylize.style import shares
from impasto.client.transfer.description import TransferDescription
from impasto.client.transfer.materials import Materials
from impasto.client.transfer.options import TransferOptions

KIND: Final = "transfer"
"""What checkpoints say that they are of."""

MOST_STEPS: Final = 1_000_000_000
MOST_SIZES: Final = 10
LARGEST_WEIGHT: Final = 1e10
LARGEST_LEARNING_RATE: Final = 1.0
LEAST_STYLE_SCALE: Final = 0.1
LARGEST_STYLE_SCALE: Final = 10.0

_LARGEST_SIDE: Final = 2**31 - 1

Size = tuple[int, int]
"""Height and width in pixels."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Settings:
    """A transfer's settings, complete, in range, but not yet checked against the pictures' sizes.

    Attributes:
        epochs: at each size.
        steps_per_epoch: optimisation steps.
        shares: of the styles; they add up to 1.
        style_layers: the weight of each of the model's layers, float32 [n].
        content_layers: the same for content.
        weights: what else `optimize` takes, float32's values by its inputs' names.
        style_scale: a float32's value.
        max_side: the painting's longest side; None for the content's own.
        pyramid: how many sizes.
        seed: of the noise.
        preserve_color: whether the content's colours are kept.
        keep_size: whether the result has the content's size.
    """

    epochs: int
    steps_per_epoch: int
    shares: tuple[float, ...]
    style_layers: NDArray[np.float32]
    content_layers: NDArray[np.float32]
    weights: Mapping[str, float]
    style_scale: float
    max_side: int | None
    pyramid: int
    seed: int
    preserve_color: bool
    keep_size: bool

    @property
    def steps(self) -> int:
        """At each size."""
        return self.epochs * self.steps_per_epoch

    def sides(self, content: Size) -> tuple[int, ...]:
        """The painting's longest side at each size, from coarse to fine."""
        full = max(content) if self.max_side is None else min(max(content), self.max_side)
        return tuple(max(1, full >> halvings) for halvings in reversed(range(self.pyramid)))

    def style_side(self, painted: Size) -> int:
        """The styles' longest side for a painting of this size."""
        return max(1, round(self.style_scale * max(painted)))


def settle(options: TransferOptions, model: TransferDescription, *, styles: int, name: str) -> Settings:
    """Complete the options by what the model suggests.

    Args:
        options: what was asked for.
        model: what the model says of itself.
        styles: how many there are.
        name: the model's, for messages.

    Raises:
        InvalidInput: a value is out of its range; names the option and the range.
    """
    weights = {
        weight: real(weight, either(getattr(options, weight), getattr(model, weight)), 0.0, LARGEST_WEIGHT)
        for weight in ("style_weight", "content_weight", "total_variation_weight")
    }
    if not any(weights.values()):
        raise InvalidInput(f"{', '.join(weights)} are all 0, so there is nothing to paint by; raise one")
    rate = either(options.learning_rate, model.learning_rate)
    epochs = whole("epochs", options.epochs, 0, MOST_STEPS)
    steps_per_epoch = whole("steps_per_epoch", options.steps_per_epoch, 0, MOST_STEPS)
    whole("epochs times steps_per_epoch", epochs * steps_per_epoch, 0, MOST_STEPS)
    return Settings(
        epochs=epochs,
        steps_per_epoch=steps_per_epoch,
        shares=shares(options.weights, styles, model=name),
        style_layers=layer_weights(
            either(options.style_layers, model.style_layers), model.layers, name="style_layers", least=0.0
        ),
        content_layers=layer_weights(
            either(options.content_layers, model.content_layers),
            model.layers,
            name="content_layers",
            least=0.0,
        ),
        weights={**weights, "learning_rate": real("learning_rate", rate, 0.0, LARGEST_LEARNING_RATE)},
        style_scale=real("style_scale", options.style_scale, LEAST_STYLE_SCALE, LARGEST_STYLE_SCALE),
        max_side=None
        if options.max_side is None
        else whole("max_side", options.max_side, model.minimum_side, _LARGEST_SIDE),
        pyramid=whole("pyramid", options.pyramid, 1, MOST_SIZES),
        seed=whole("seed", options.seed, 0, 2**32 - 1),
        preserve_color=bool(options.preserve_color),
        keep_size=bool(options.keep_size),
    )


@dataclass(frozen=True)
class Level:
    """One size of the pyramid.

    Attributes:
        size: of the painting.
        styles: the size of each style.
    """

    size: Size
    styles: tuple[Size, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """A transfer that the model can run.

    Attributes:
        settings: see there.
        levels: from coarse to fine, at least one.
        model: what the model says of itself.
    """

    settings: Settings
    levels: tuple[Level, ...]
    model: TransferDescription

    @property
    def painted_size(self) -> Size:
        """Of the last level."""
        return self.levels[-1].size

    @property
    def work(self) -> int:
        """Of the whole transfer, in steps times pixels."""
        return self.settings.steps * sum(height * width for height, width in (lv.size for lv in self.levels))

    def identity(self, materials: Materials, name: str) -> dict[str, Any]:
        """What the result depends on, as JSON values: two transfers of one identity are the same."""
        settings, model = self.settings, self.model

        def named(weights: NDArray[np.float32]) -> dict[str, float]:
            pairs = zip(model.layers, weights.tolist(), strict=True)
            return {layer: weight for layer, weight in pairs if weight}

        return {
            "kind": KIND,
            "model": name,
            "version": model.version,
            "backbone": model.backbone,
            "weights": model.weights,
            "compute": model.compute,
            **materials.identity(),
            "steps": settings.steps,
            "shares": list(settings.shares),
            "style_layers": named(settings.style_layers),
            "content_layers": named(settings.content_layers),
            **settings.weights,
            "sizes": [list(level.size) for level in self.levels],
            "style_sizes": [[list(size) for size in level.styles] for level in self.levels],
            "seed": settings.seed if materials.noise else None,
            "preserve_color": settings.preserve_color,
            "keep_size": settings.keep_size,
        }


def fit(settings: Settings, model: TransferDescription, levels: tuple[Level, ...]) -> Plan:
    """Check the sizes against the model's limits.

    Raises:
        InvalidInput: one is too small or too large for the model; says which, and what to do.
    """
    for number, level in enumerate(levels, 1):
        at = f" at size {number} of the pyramid's {len(levels)}" if len(levels) > 1 else ""
        remedies = ("use a larger picture or a smaller pyramid", "set max_side lower")
        _check(f"the painting is{at}", level.size, model, remedies)
        for size in level.styles:
            remedies = ("raise style_scale, or use a squarer style", "lower style_scale or max_side")
            _check(f"with style_scale {settings.style_scale:g} a style is{at}", size, model, remedies)
    return Plan(settings=settings, levels=levels, model=model)


def _check(what: str, size: Size, model: TransferDescription, remedies: tuple[str, str]) -> None:
    height, width = size
    if min(size) < model.minimum_side:
        raise InvalidInput(
            f"{what} {width} x {height} pixels, and {model.backbone} needs {model.minimum_side} in width and "
            f"height; {remedies[0]}"
        )
    if height * width > model.maximum_pixels:
        raise InvalidInput(
            f"{what} {width} x {height} pixels, and the model takes {model.maximum_pixels:,} in all; {remedies[1]}"
        )
