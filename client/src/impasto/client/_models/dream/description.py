"""A served dream model's description of itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from impasto.client._answers import output
from impasto.client._jobs import PinnedModel, Size, Steps
from impasto.client._models.describing import DESCRIBE, check_scaled, describe, layers_of
from impasto.client._models.layers import weights_by_name
from impasto.client.errors import DecodeError, InvalidInput
from impasto.client.signatures import DREAM

MOST_OCTAVES: Final = 32


@dataclass(frozen=True)
class DreamDescription:
    """A served dream model.

    Attributes:
        version: the version that answered.
        backbone: the network's name.
        weights: where its weights are from, and their licence.
        layers: the names of the layers that can be excited, from shallow to deep.
        layer_weights: the weights taken when none are given, by layer; layers of no weight are left out.
        steps: suggested gradient steps an octave.
        step_size: the suggested one.
        octave_scale: the suggested one.
        octaves: the suggested ones.
        minimum_side: least height and width of an octave, in pixels.
        maximum_steps: most steps that one call may take.
        maximum_pixels: most pixels of an octave.
        maximum_tile_pixels: most pixels of a tile, and of an octave without tiles.
    """

    version: int
    backbone: str
    weights: str
    layers: tuple[str, ...]
    layer_weights: Mapping[str, float]
    steps: int
    step_size: float
    octave_scale: float
    octaves: tuple[int, ...]
    minimum_side: int
    maximum_steps: int
    maximum_pixels: int
    maximum_tile_pixels: int


def describe_dream(model: PinnedModel) -> Steps[DreamDescription]:
    """Ask the model for its description. Raises DecodeError, CallError."""
    told = yield from describe(model, DREAM)
    told["layers"] = layers_of(told, ["layer_weights"], model=model.name)
    told["octaves"] = tuple(told["octaves"])
    if len(told["octaves"]) > MOST_OCTAVES:
        raise DecodeError(
            f"{model.name} suggests {len(told['octaves'])} octaves; it must be at most {MOST_OCTAVES}",
            model=model.name,
        )
    told["layer_weights"] = MappingProxyType(weights_by_name(told["layers"], told["layer_weights"]))
    return DreamDescription(**told, version=model.version)


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
