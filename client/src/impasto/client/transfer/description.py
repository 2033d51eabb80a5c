"""What a served transfer model says about itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from impasto.client._answers import decimal, output, told
from impasto.client._transport.calls import Call, ModelRef, Outputs, predict_call, predict_with_version_call
from impasto.client.signatures import TRANSFER

_SIGNATURE: Final = "describe"
_OUTPUTS: Final = tuple(spec.name for spec in TRANSFER.signatures[_SIGNATURE].outputs if spec.name != "size")


@dataclass(frozen=True, kw_only=True)
class TransferDescription:
    """A served transfer model.

    Attributes:
        version: the version that answered.
        backbone: the network's name.
        weights: where its weights are from, and their licence.
        compute: the type that the network computes in.
        layers: the names of the candidate layers, from shallow to deep.
        style_layers: the style layers taken when none are given, with their weights.
        content_layers: the same for content.
        steps: suggested optimisation steps.
        style_weight: the suggested one.
        content_weight: the suggested one.
        total_variation_weight: the suggested one.
        learning_rate: the suggested one.
        minimum_side: least height and width of a picture, in pixels.
        maximum_steps: most steps that one call may take.
        maximum_pixels: most pixels of a picture in the network.
    """

    version: int
    backbone: str
    weights: str
    compute: str
    layers: tuple[str, ...]
    style_layers: Mapping[str, float]
    content_layers: Mapping[str, float]
    steps: int
    style_weight: float
    content_weight: float
    total_variation_weight: float
    learning_rate: float
    minimum_side: int
    maximum_steps: int
    maximum_pixels: int


def describe_call(ref: ModelRef) -> Call[tuple[int, Outputs]]:
    """Ask for the description; read the answer with `read_description`."""
    return predict_with_version_call(ref, {}, signature=_SIGNATURE, outputs=_OUTPUTS)


def read_description(answer: tuple[int, Outputs], model: str) -> TransferDescription:
    """The description in the answer to `describe_call`. Raises DecodeError."""
    version, outputs = answer
    values = told(outputs, TRANSFER.signatures[_SIGNATURE], names=_OUTPUTS, model=model)
    layers = tuple(values["layers"])
    return TransferDescription(
        version=version,
        backbone=values["backbone"],
        weights=values["weights"],
        compute=values["compute"],
        layers=layers,
        style_layers=_named(layers, values["style_layer_weights"]),
        content_layers=_named(layers, values["content_layer_weights"]),
        steps=values["suggested_steps"],
        style_weight=decimal(values["suggested_style_weight"]),
        content_weight=decimal(values["suggested_content_weight"]),
        total_variation_weight=decimal(values["suggested_total_variation_weight"]),
        learning_rate=decimal(values["suggested_learning_rate"]),
        minimum_side=values["minimum_side"],
        maximum_steps=values["maximum_steps"],
        maximum_pixels=values["maximum_pixels"],
    )


def size_call(ref: ModelRef, size: tuple[int, int], *, longest_side: int) -> Call[Outputs]:
    """Ask for `size`, height and width, scaled so that the larger is `longest_side`; read it with `read_size`.

    The server tells it, for its rounding decides about a pixel.
    """
    inputs = {"size": np.array(size, np.int32), "longest_side": np.asarray(longest_side, np.int32)}
    return predict_call(ref, inputs, signature=_SIGNATURE, outputs=["size"])


def read_size(answer: Outputs, model: str) -> tuple[int, int]:
    """Height and width in the answer to `size_call`. Raises DecodeError."""
    height, width = output(answer, "size", dtype=np.int32, shape=(2,), model=model).tolist()
    return height, width


def _named(layers: Sequence[str], weights: Sequence[float]) -> Mapping[str, float]:
    named = zip(layers, map(decimal, weights), strict=False)
    return MappingProxyType({layer: weight for layer, weight in named if weight})
