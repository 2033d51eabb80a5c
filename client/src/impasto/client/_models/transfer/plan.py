"""A transfer with every choice made: what the person asked for, completed and checked by what the model says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from impasto.client._jobs import Size
from impasto.client._jobs.values import sent, shares
from impasto.client._models.layers import layer_weights, weights_by_name
from impasto.client._models.planning import check_size, identity
from impasto.client._models.transfer.description import TransferDescription
from impasto.client._models.transfer.materials import Materials
from impasto.client.errors import InvalidInput

if TYPE_CHECKING:
    from impasto.client._models.transfer.job import Transfer


@dataclass(frozen=True, kw_only=True, eq=False)
class TransferChoices:
    """A transfer's numbers, complete, but not yet checked against the pictures' sizes.

    Attributes:
        steps: optimisation steps at each size.
        shares: the shares of the styles; they add up to 1.
        style_layers: the weight of each of the model's layers, float32 [n].
        content_layers: the same for content.
        weights: what else `optimize` takes, float32's values by its inputs' names.
    """

    steps: int
    shares: tuple[float, ...]
    style_layers: NDArray[np.float32]
    content_layers: NDArray[np.float32]
    weights: Mapping[str, float]


def complete(job: Transfer, model: TransferDescription) -> TransferChoices:
    """Complete a job by what the model suggests.

    Args:
        job: what was asked for.
        model: the model's description.

    Raises:
        InvalidInput: a layer or a side does not suit the model, or there is nothing to paint by.
    """

    def weight(name: str) -> float:
        asked: float | None = getattr(job, name)
        return sent(getattr(model, name) if asked is None else asked)

    def layers(name: str) -> NDArray[np.float32]:
        asked: Any = getattr(job, name)
        pairs = getattr(model, name).items() if asked is None else asked
        return layer_weights(pairs, model.layers, name=name)

    weights = {name: weight(name) for name in ("style_weight", "content_weight", "total_variation_weight")}
    if not any(weights.values()):
        raise InvalidInput(f"{', '.join(weights)} are all 0, so there is nothing to paint by; raise one")
    if job.max_side is not None and job.max_side < model.minimum_side:
        raise InvalidInput(
            f"max_side is {job.max_side}; it must be {model.minimum_side} or more for {model.backbone}, or None"
        )
    return TransferChoices(
        steps=job.epochs * job.steps_per_epoch,
        shares=shares(job.weights, len(job.styles)),
        style_layers=layers("style_layers"),
        content_layers=layers("content_layers"),
        weights={**weights, "learning_rate": weight("learning_rate")},
    )


def painted_sides(job: Transfer, content: Size) -> tuple[int, ...]:
    """Return the painting's longest side at each size, from coarse to fine."""
    full = max(content) if job.max_side is None else min(max(content), job.max_side)
    return tuple(max(1, full >> halvings) for halvings in reversed(range(job.pyramid)))


def style_side(job: Transfer, painted: Size) -> int:
    """Return the styles' longest side for a painting of this size."""
    return max(1, round(sent(job.style_scale) * max(painted)))


@dataclass(frozen=True)
class Level:
    """One size of the pyramid.

    Attributes:
        size: the size of the painting.
        styles: the size of each style.
    """

    size: Size
    styles: tuple[Size, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class TransferPlan:
    """A transfer that the model can run.

    Attributes:
        choices: the numbers that the transfer is made by.
        levels: from coarse to fine, at least one.
        model: the model's description.
    """

    choices: TransferChoices
    levels: tuple[Level, ...]
    model: TransferDescription

    def identity(self, job: Transfer, materials: Materials, name: str) -> dict[str, Any]:
        """Return what the result depends on, as JSON values."""
        choices, model = self.choices, self.model
        return identity(
            job,
            model,
            name,
            compute=model.compute,
            **materials.identity(),
            steps=choices.steps,
            shares=list(choices.shares),
            style_layers=weights_by_name(model.layers, choices.style_layers.tolist()),
            content_layers=weights_by_name(model.layers, choices.content_layers.tolist()),
            **choices.weights,
            sizes=[list(level.size) for level in self.levels],
            style_sizes=[[list(size) for size in level.styles] for level in self.levels],
            seed=job.seed if materials.noise else None,
            keep_size=job.keep_size,
        )


def fit(
    job: Transfer, choices: TransferChoices, model: TransferDescription, levels: tuple[Level, ...]
) -> TransferPlan:
    """Check the sizes against the model's limits.

    Raises:
        InvalidInput: one is too small or too large for the model; says which, and what to do.
    """
    for number, level in enumerate(levels, 1):
        at = f" at size {number} of the pyramid's {len(levels)}" if len(levels) > 1 else ""
        check_size(
            f"the painting is{at}",
            level.size,
            model,
            if_small="use a larger picture or a smaller pyramid",
            if_large="set max_side lower",
        )
        for size in level.styles:
            check_size(
                f"with style_scale {job.style_scale:g} a style is{at}",
                size,
                model,
                if_small="raise style_scale, or use a squarer style",
                if_large="lower style_scale or max_side",
            )
    return TransferPlan(choices=choices, levels=levels, model=model)
