"""A dream with every choice made: what the person asked for, completed and checked by what the model says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client._values import digest, either, real, whole
from impasto.client.dream.description import DreamDescription
from impasto.client.dream.layers import layer_weights
from impasto.client.dream.options import DreamOptions
from impasto.client.errors import InvalidInput
from impasto.client.pictures import MAX_PIXELS, Picture, read_picture

KIND: Final = "dream"
"""What checkpoints say that they are of."""

MOST_STEPS: Final = 1_000_000_000
MOST_OCTAVES: Final = 32
LEAST_OCTAVE_SCALE: Final = 0.1
LARGEST_OCTAVE_SCALE: Final = 10.0
LARGEST_STEP_SIZE: Final = 1.0
GUIDE_SIDE: Final = 256
"""Pixels of a guide's longer side; each place of a layer is compared with each place of the guide's."""
TILE: Final = 512
"""The tile, in pixels, for octaves above LARGEST_UNTILED."""
LARGEST_UNTILED: Final = 1 << 20
"""Pixels of an octave that is worked on whole unless the person says otherwise: VGG19 takes some 2.7 GB for them."""

_INT32: Final = 2**31


@dataclass(frozen=True, kw_only=True, eq=False)
class Settings:
    """A dream's settings, complete, in range, but not yet checked against the octaves' sizes.

    Attributes:
        weights: of each of the model's layers, float32 [n].
        octaves: powers of `octave_scale`.
        octave_scale: a float32's value.
        steps: at each octave.
        step_size: a float32's value.
        tile: the longest side of a tile in pixels; 0 for none, None to be chosen by the octaves' sizes.
        seed: of the tiles' shifts.
        guide: uint8 [h, w, 3], or None.
        preserve_color: whether the picture's colours are kept.
    """

    weights: NDArray[np.float32]
    octaves: tuple[int, ...]
    octave_scale: float
    steps: int
    step_size: float
    tile: int | None
    seed: int
    guide: NDArray[np.uint8] | None
    preserve_color: bool


def settle(options: DreamOptions, model: DreamDescription, *, max_pixels: int = MAX_PIXELS) -> Settings:
    """Complete the options by what the model suggests.

    Args:
        options: what was asked for.
        model: what it says of itself.
        max_pixels: the largest width times height of the guide as it is read.

    Raises:
        InvalidInput: a value is out of its range; names the option and the range.
        ImageError: the guide cannot be used.
        OSError: the guide's file cannot be opened.
    """
    tile = None if options.tile is None else whole("tile", options.tile, 0, _INT32 - 1)
    if tile is not None and 0 < tile < 2 * model.minimum_side:
        raise InvalidInput(
            f"tile is {tile}; it must be 0 (none) or at least {2 * model.minimum_side} pixels for {model.backbone}"
        )
    return Settings(
        weights=layer_weights(
            model.layer_weights if options.layers is None else options.layers, model.layers
        ),
        octaves=_octaves(model.octaves if options.octaves is None else options.octaves),
        octave_scale=real(
            "octave_scale",
            either(options.octave_scale, model.octave_scale),
            LEAST_OCTAVE_SCALE,
            LARGEST_OCTAVE_SCALE,
        ),
        steps=whole("steps", either(options.steps, model.steps), 0, MOST_STEPS),
        step_size=real("step_size", either(options.step_size, model.step_size), 0.0, LARGEST_STEP_SIZE),
        tile=tile,
        seed=whole("seed", options.seed, -_INT32, _INT32 - 1),
        guide=None if options.guide is None else _guide(options.guide, model, max_pixels=max_pixels),
        preserve_color=bool(options.preserve_color),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """A dream that the model can run.

    Attributes:
        settings: see there.
        sizes: height and width of each octave.
        tile: as the model takes it, 0 for none.
        model: what the model says of itself.
    """

    settings: Settings
    sizes: tuple[tuple[int, int], ...]
    tile: int
    model: DreamDescription

    @property
    def work(self) -> int:
        """Of the whole dream, in steps times pixels."""
        return self.settings.steps * sum(height * width for height, width in self.sizes)

    def identity(self, picture: Picture, model: str) -> dict[str, Any]:
        """What the result depends on, as JSON values: two dreams of one identity are the same."""
        settings = self.settings
        named = zip(self.model.layers, settings.weights.tolist(), strict=True)
        return {
            "kind": KIND,
            "model": model,
            "version": self.model.version,
            "backbone": self.model.backbone,
            "weights": self.model.weights,
            "picture": digest(picture.rgb),
            "layers": {name: weight for name, weight in named if weight},
            "octaves": list(settings.octaves),
            "octave_scale": settings.octave_scale,
            "steps": settings.steps,
            "step_size": settings.step_size,
            "tile": self.tile,
            "seed": settings.seed,
            "guide": None if settings.guide is None else digest(settings.guide),
            "preserve_color": settings.preserve_color,
        }


def fit(settings: Settings, model: DreamDescription, sizes: NDArray[np.int32]) -> Plan:
    """Check the octaves' sizes, int32 [k, 2], against the model's limits, and choose the tile.

    Raises:
        InvalidInput: an octave is too small or too large for the model; says which, and what to do.
    """
    sides = tuple((int(height), int(width)) for height, width in sizes.tolist())
    largest = max(height * width for height, width in sides)
    tile = settings.tile
    if tile is None:
        tile = max(TILE, 2 * model.minimum_side) if largest > LARGEST_UNTILED else 0
    for octave, (height, width) in zip(settings.octaves, sides, strict=True):
        where = f"octaves: octave {octave} makes the picture {width} x {height} pixels"
        if min(height, width) < model.minimum_side:
            raise InvalidInput(
                f"{where}, and {model.backbone} needs {model.minimum_side} in width and height; "
                "use a larger picture or leave small octaves out"
            )
        if height * width > model.maximum_pixels:
            raise InvalidInput(
                f"{where}, and the model takes {model.maximum_pixels:,} in all; use a smaller picture or leave "
                "large octaves out"
            )
        at_once = math.prod(-(-side // -(-side // (tile or side))) for side in (height, width))
        if at_once > model.maximum_tile_pixels:
            raise InvalidInput(
                f"{where}, and the model takes gradients of {model.maximum_tile_pixels:,} pixels at once; "
                f"set tile, which is {tile}, to {TILE}, say"
            )
    return Plan(settings=settings, sizes=sides, tile=tile, model=model)


def _octaves(octaves: Sequence[int]) -> tuple[int, ...]:
    try:
        values = tuple(whole("octaves", octave, -_INT32, _INT32 - 1) for octave in octaves)
    except TypeError as error:
        raise InvalidInput(f"octaves is {octaves!r}; it must be whole numbers such as [-2, -1, 0]") from error
    if not 1 <= len(values) <= MOST_OCTAVES:
        raise InvalidInput(f"octaves holds {len(values)} numbers; it must hold 1 to {MOST_OCTAVES}")
    return values


def _guide(source: Any, model: DreamDescription, *, max_pixels: int) -> NDArray[np.uint8]:
    image = Image.fromarray(read_picture(source, max_pixels=max_pixels).rgb)
    image.thumbnail((GUIDE_SIDE, GUIDE_SIDE), Image.Resampling.LANCZOS)
    if min(image.size) < model.minimum_side:
        raise InvalidInput(
            f"guide is {image.width} x {image.height} pixels once its longer side is {GUIDE_SIDE} or less, and "
            f"{model.backbone} needs {model.minimum_side} in width and height; use a larger or squarer picture"
        )
    return np.asarray(image)
