"""A transfer with every choice made: what the person asked for, completed and checked by what the model says."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from impasto.client._answers import output
from impasto.client._jobs import PinnedModel, Size, Steps
from impasto.client._jobs.values import sent, shares
from impasto.client._models.layers import layer_weights, weights_by_name
from impasto.client._models.planning import DESCRIBE, check_scaled, check_size, identity
from impasto.client._models.transfer.description import TransferDescription
from impasto.client._models.transfer.materials import Materials
from impasto.client._models.transfer.recipes import CONTENT, NOISE, RECIPES, Recipe
from impasto.client.errors import InvalidInput

if TYPE_CHECKING:
    from impasto.client._models.transfer.job import Transfer


def scaled_size(model: PinnedModel, size: Size, *, longest_side: int) -> Steps[Size]:
    """Ask for a size scaled so that the larger side is `longest_side`.

    The server tells it, for its rounding decides about a pixel.

    Raises:
        DecodeError: it is another one than rounding can make it.
        CallError: the call failed.
    """
    if max(size) == longest_side:
        return size
    inputs = {"size": np.array(size, np.int32), "longest_side": np.asarray(longest_side, np.int32)}
    answer = yield from model.predict(inputs, signature=DESCRIBE, outputs=["size"])
    height, width = output(answer, "size", dtype=np.int32, shape=(2,), model=model.name).tolist()
    check_scaled(model.name, size, (height, width), longest_side / max(size))
    return height, width


# Sides of a whole number of pixels, and counts of sizes, that a root of two misses by a rounding error.
_ALMOST: Final = 1e-6


class TransferChoices(NamedTuple):
    """A transfer's numbers, complete, but not yet checked against the pictures' sizes.

    Attributes:
        recipe: what is taken where the job says nothing.
        epochs: how often `steps_per_epoch` steps are done at each size, but perhaps the first.
        steps_per_epoch: optimisation steps.
        shares: the shares of the styles; they add up to 1.
        style_layers: the weight of each of the model's layers, float32 [n].
        content_layers: the same for content.
        weights: the weights of the losses and the learning rate, float32's values by their inputs' names.
    """

    recipe: Recipe
    epochs: int
    steps_per_epoch: int
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

    recipe = RECIPES[job.recipe]

    def weight(name: str) -> float:
        asked: float | None = getattr(job, name)
        return sent(recipe.weights.get(name, getattr(model, name)) if asked is None else asked)

    def layers(name: str) -> NDArray[np.float32]:
        asked, own = getattr(job, name), getattr(recipe, name)
        if asked is None and own is not None and not own.keys() <= set(model.layers):
            raise InvalidInput(
                f"the recipe {job.recipe!r} takes the {name} {', '.join(own)}, and the model has "
                f"{', '.join(model.layers)}; give {name}, or the recipe 'classic'"
            )
        pairs = (getattr(model, name) if own is None else own).items() if asked is None else asked
        return layer_weights(pairs, model.layers, name=name)

    weights = {name: weight(name) for name in ("style_weight", "content_weight", "total_variation_weight")}
    if not any(weights.values()):
        raise InvalidInput(f"{', '.join(weights)} are all 0, so there is nothing to paint by; raise one")
    if job.max_side and job.max_side < model.minimum_side:
        raise InvalidInput(
            f"max_side is {job.max_side}; it must be {model.minimum_side} or more for {model.backbone}, or 0 for the "
            "content's own"
        )
    return TransferChoices(
        recipe=recipe,
        epochs=job.epochs_at_size,
        steps_per_epoch=job.steps_an_epoch,
        shares=shares(job.weights, len(job.styles)),
        style_layers=layers("style_layers"),
        content_layers=layers("content_layers"),
        weights={**weights, "learning_rate": weight("learning_rate")},
    )


def painted_sides(job: Transfer, content: Size) -> tuple[int, ...]:
    """Return the painting's longest side at each size, from coarse to fine."""
    recipe = RECIPES[job.recipe]
    side = recipe.max_side if job.max_side is None else job.max_side
    full = min(max(content), side or max(content))
    count = _sizes(job, recipe, full) if job.pyramid is None else job.pyramid
    return tuple(max(1, int(full / recipe.growth**smaller + _ALMOST)) for smaller in reversed(range(count)))


def _sizes(job: Transfer, recipe: Recipe, full: int) -> int:
    """The number of sizes up to the full one."""
    begins_anew = isinstance(job.start, str) and job.start in (CONTENT, NOISE)
    # An earlier result, and a picture that is to be left as it is, would lose what is fine in them.
    if recipe.least_side is None or not begins_anew or job.epochs_at_size * job.steps_an_epoch == 0:
        return 1
    return 1 + max(0, int(math.log(full / recipe.least_side, recipe.growth) + _ALMOST))


def large_enough(levels: Sequence[Level], least: int) -> tuple[Level, ...]:
    """Return the sizes without the coarse ones that have a side below `least`; the last is kept in any case."""
    *coarse, last = levels
    return (
        *(level for level in coarse if min(min(size) for size in (level.size, *level.styles)) >= least),
        last,
    )


def style_side(job: Transfer, painted: Size) -> int:
    """Return the styles' longest side for a painting of this size."""
    return max(1, round(sent(job.style_scale) * max(painted)))


class Level(NamedTuple):
    """One size of the pyramid.

    Attributes:
        size: the size of the painting.
        styles: the size of each style.
    """

    size: Size
    styles: tuple[Size, ...]


class TransferPlan(NamedTuple):
    """A transfer that the model can run.

    Attributes:
        choices: the numbers that the transfer is made by.
        levels: from coarse to fine, at least one.
        model: the model's description.
    """

    choices: TransferChoices
    levels: tuple[Level, ...]
    model: TransferDescription

    @property
    def epochs(self) -> tuple[int, ...]:
        """The epochs at each size."""
        each, others = self.choices.epochs, len(self.levels) - 1
        return (each * self.choices.recipe.first, *[each] * others) if others else (each,)

    @property
    def steps(self) -> tuple[int, ...]:
        """The steps at each size."""
        return tuple(epochs * self.choices.steps_per_epoch for epochs in self.epochs)

    def identity(self, job: Transfer, materials: Materials, name: str) -> dict[str, Any]:
        """Return what the result depends on, as JSON values."""
        choices, model = self.choices, self.model
        return identity(
            job,
            model,
            name,
            compute=model.compute,
            **materials.identity(),
            steps=list(self.steps),
            averages=choices.recipe.averages,
            shares=list(choices.shares),
            style_layers=weights_by_name(model.layers, choices.style_layers.tolist()),
            content_layers=weights_by_name(model.layers, choices.content_layers.tolist()),
            **choices.weights,
            **choices.recipe.inputs,
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


def painted_levels(
    job: Transfer, materials: Materials, model: PinnedModel, *, least: int
) -> Steps[tuple[Level, ...]]:
    """Return the sizes at which to paint, from coarse to fine, as the model rounds them.

    Args:
        job: what was asked for.
        materials: the pictures.
        model: the model to ask.
        least: the smallest side that its network can see, in pixels.

    Raises:
        DecodeError, CallError: those of `scaled_size`.
    """
    levels: list[Level] = []
    for side in painted_sides(job, materials.size):
        size = yield from scaled_size(model, materials.size, longest_side=side)
        styles: list[Size] = []
        for style in materials.styles:
            height, width = style.shape[:2]
            longest = style_side(job, size)
            styles.append((yield from scaled_size(model, (height, width), longest_side=longest)))
        levels.append(Level(size, tuple(styles)))
    # Of its own accord a recipe paints at no size that the network cannot see.
    return large_enough(levels, least) if job.pyramid is None else tuple(levels)
