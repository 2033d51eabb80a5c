"""What a served dream model says about itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from impasto.client._answers import decimal, told
from impasto.client._transport.calls import Call, ModelRef, Outputs, predict_call, predict_with_version_call
from impasto.client.signatures import DREAM

_SIGNATURE: Final = "describe"
_OUTPUTS: Final = tuple(spec.name for spec in DREAM.signatures[_SIGNATURE].outputs if spec.name != "sizes")


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


def describe_call(ref: ModelRef) -> Call[tuple[int, Outputs]]:
    """Ask for the description; read the answer with `read_description`."""
    return predict_with_version_call(ref, {}, signature=_SIGNATURE, outputs=_OUTPUTS)


def read_description(answer: tuple[int, Outputs], model: str) -> DreamDescription:
    """The description in the answer to `describe_call`. Raises DecodeError."""
    version, outputs = answer
    values = told(outputs, DREAM.signatures[_SIGNATURE], names=_OUTPUTS, model=model)
    layers = tuple(values["layers"])
    weights = dict(zip(layers, map(decimal, values["layer_weights"]), strict=False))
    return DreamDescription(
        version=version,
        backbone=values["backbone"],
        weights=values["weights"],
        layers=layers,
        layer_weights=MappingProxyType({layer: weight for layer, weight in weights.items() if weight}),
        steps=values["suggested_steps"],
        step_size=decimal(values["suggested_step_size"]),
        octave_scale=decimal(values["suggested_octave_scale"]),
        octaves=tuple(values["suggested_octaves"]),
        minimum_side=values["minimum_side"],
        maximum_steps=values["maximum_steps"],
        maximum_pixels=values["maximum_pixels"],
        maximum_tile_pixels=values["maximum_tile_pixels"],
    )


def sizes_call(
    ref: ModelRef, *, size: tuple[int, int], octave_scale: float, octaves: Sequence[int]
) -> Call[Outputs]:
    """Ask for the octaves' sizes, `sizes` int32 [k, 2].

    The server tells them, for they come from a power whose rounding decides about a pixel.
    """
    inputs = {
        "size": np.array(size, np.int32),
        "octave_scale": np.float32(octave_scale),
        "octaves": np.array(octaves, np.int32),
    }
    return predict_call(ref, inputs, signature=_SIGNATURE, outputs=["sizes"])
