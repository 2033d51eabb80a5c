"""A dream with every choice made: what the person asked for, completed and checked by what the model says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client._answers import output
from impasto.client._jobs import PinnedModel, Size, Steps
from impasto.client._jobs.values import digest, sent
from impasto.client._models.dream.description import DreamDescription
from impasto.client._models.dream.recipes import RECIPES, Recipe
from impasto.client._models.layers import layer_weights, weights_by_name
from impasto.client._models.planning import DESCRIBE, check_scaled, check_size, identity
from impasto.client.errors import InvalidInput
from impasto.client.pictures import Picture

if TYPE_CHECKING:
    from impasto.client._models.dream.job import Dream


def octave_sizes(
    model: PinnedModel, size: Size, *, octave_scale: float, octaves: Sequence[int]
) -> Steps[tuple[Size, ...]]:
    """Ask for the octaves' sizes.

    The server tells them, for they come from a power whose rounding decides about a pixel.

    Raises:
        InvalidInput: an octave is larger than any number.
        DecodeError: they are other than rounding can make them.
        CallError: the call failed.
    """
    factors = [_factor(octave_scale, octave, model=model.name) for octave in octaves]
    inputs = {
        "size": np.array(size, np.int32),
        "octave_scale": np.float32(octave_scale),
        "octaves": np.array(octaves, np.int32),
    }
    answer = yield from model.predict(inputs, signature=DESCRIBE, outputs=["sizes"])
    found = output(answer, "sizes", dtype=np.int32, shape=(len(octaves), 2), model=model.name).tolist()
    sizes = tuple((height, width) for height, width in found)
    for factor, told in zip(factors, sizes, strict=True):
        check_scaled(model.name, size, told, factor)
    return sizes


def _factor(octave_scale: float, octave: int, *, model: str) -> float:
    try:
        return math.pow(octave_scale, octave)
    except OverflowError as error:
        raise InvalidInput(
            f"octaves: octave {octave} of the scale {octave_scale:g} makes any picture larger than numbers can tell; "
            "leave it out",
            model=model,
        ) from error


ChoiceT = TypeVar("ChoiceT")

GUIDE_SIDE: Final = 256
"""Pixels of a guide's longer side; each place of a layer is compared with each place of the guide's."""
TILE: Final = 512
"""The tile, in pixels, for octaves above LARGEST_UNTILED."""
LARGEST_UNTILED: Final = 1 << 20
"""Pixels of an octave that is worked on whole unless the person says otherwise: VGG19 takes some 2.7 GB for them."""


class DreamChoices(NamedTuple):
    """A dream's numbers, complete, but not yet checked against the octaves' sizes.

    Attributes:
        recipe: what the steps do beside the numbers below.
        weights: the weight of each of the model's layers, float32 [n].
        octaves: powers of `octave_scale`.
        octave_scale: a float32's value.
        steps: gradient steps at each octave.
        step_size: a float32's value.
        tile: the longest side of a tile in pixels; 0 for none, None to be chosen by the octaves' sizes.
        guide: uint8 [h, w, 3], or None.
    """

    recipe: Recipe
    weights: NDArray[np.float32]
    octaves: tuple[int, ...]
    octave_scale: float
    steps: int
    step_size: float
    tile: int | None
    guide: NDArray[np.uint8] | None


def complete(job: Dream, model: DreamDescription, guide: Picture | None = None) -> DreamChoices:
    """Complete a job by its recipe, and by what the model suggests.

    Args:
        job: what was asked for.
        model: the model's description.
        guide: the guide, as it was read.

    Raises:
        InvalidInput: a layer, the tile or the guide does not suit the model.
    """
    if job.tile is not None and 0 < job.tile < 2 * model.minimum_side:
        raise InvalidInput(
            f"tile is {job.tile}; it must be 0 (none) or at least {2 * model.minimum_side} pixels for {model.backbone}"
        )
    layers = model.layer_weights.items() if job.named_layers is None else job.named_layers
    recipe = RECIPES[job.recipe]
    return DreamChoices(
        recipe=recipe,
        weights=layer_weights(layers, model.layers),
        octaves=tuple(_first(job.octaves, recipe.octaves, model.octaves)),
        octave_scale=sent(_first(job.octave_scale, recipe.octave_scale, model.octave_scale)),
        steps=_first(job.steps, recipe.steps, model.steps),
        step_size=sent(_first(job.step_size, recipe.step_size, model.step_size)),
        tile=job.tile,
        guide=None if guide is None else _reduced(guide, model),
    )


class DreamPlan(NamedTuple):
    """A dream that the model can run.

    Attributes:
        choices: the numbers that the dream is made by.
        sizes: the size of each octave.
        tile: the tile as the model takes it, 0 for none.
        model: the model's description.
    """

    choices: DreamChoices
    sizes: tuple[Size, ...]
    tile: int
    model: DreamDescription

    def identity(self, job: Dream, picture: Picture, name: str) -> dict[str, Any]:
        """Return what the result depends on, as JSON values."""
        choices = self.choices
        return identity(
            job,
            self.model,
            name,
            picture=digest(picture.rgb),
            recipe=job.recipe,
            smoothing=list(choices.recipe.smoothing),
            shift=choices.recipe.shift,
            fade_in=choices.recipe.fade_in,
            details=choices.recipe.details,
            layers=weights_by_name(self.model.layers, choices.weights.tolist()),
            octaves=list(choices.octaves),
            octave_scale=choices.octave_scale,
            steps=choices.steps,
            step_size=choices.step_size,
            tile=self.tile,
            seed=job.seed,
            guide=None if choices.guide is None else digest(choices.guide),
        )


def fit(choices: DreamChoices, model: DreamDescription, sizes: tuple[Size, ...]) -> DreamPlan:
    """Check the octaves' sizes against the model's limits, and choose the tile.

    Raises:
        InvalidInput: an octave is too small or too large for the model; says which, and what to do.
    """
    largest = max(height * width for height, width in sizes)
    tile = choices.tile
    if tile is None:
        tile = max(TILE, 2 * model.minimum_side) if largest > LARGEST_UNTILED else 0
    for octave, (height, width) in zip(choices.octaves, sizes, strict=True):
        what = f"octaves: octave {octave} makes the picture"
        check_size(
            what,
            (height, width),
            model,
            if_small="use a larger picture or leave small octaves out",
            if_large="use a smaller picture or leave large octaves out",
        )
        at_once = math.prod(-(-side // -(-side // (tile or side))) for side in (height, width))
        if at_once > model.maximum_tile_pixels:
            raise InvalidInput(
                f"{what} {width} x {height} pixels, and the model takes gradients of "
                f"{model.maximum_tile_pixels:,} pixels at once; set tile, which is {tile}, to {TILE}, say"
            )
    return DreamPlan(choices=choices, sizes=sizes, tile=tile, model=model)


def _first(given: ChoiceT | None, recipe: ChoiceT | None, model: ChoiceT) -> ChoiceT:
    """The first of what a person, the recipe and the model say that is said."""
    if given is not None:
        return given
    return model if recipe is None else recipe


def _reduced(guide: Picture, model: DreamDescription) -> NDArray[np.uint8]:
    image = Image.fromarray(guide.rgb)
    image.thumbnail((GUIDE_SIDE, GUIDE_SIDE), Image.Resampling.LANCZOS)
    if min(image.size) < model.minimum_side:
        raise InvalidInput(
            f"guide is {image.width} x {image.height} pixels once its longer side is {GUIDE_SIDE} or less, and "
            f"{model.backbone} needs {model.minimum_side} in width and height; use a larger or squarer picture"
        )
    return np.asarray(image)
