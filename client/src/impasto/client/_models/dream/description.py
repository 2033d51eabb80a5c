"""A served dream model's description of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from impasto.client._jobs import PinnedModel, Steps
from impasto.client._models.layers import weights_by_name
from impasto.client._models.planning import describe, layers_of
from impasto.client.errors import DecodeError
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
