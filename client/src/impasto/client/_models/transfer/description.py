"""A served transfer model's description of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from impasto.client._answers import output
from impasto.client._jobs import PinnedModel, Size, Steps
from impasto.client._models.describing import DESCRIBE, check_scaled, describe, layers_of
from impasto.client._models.layers import weights_by_name
from impasto.client.signatures import TRANSFER


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


def describe_transfer(model: PinnedModel) -> Steps[TransferDescription]:
    """Ask the model for its description. Raises DecodeError, CallError."""
    told = yield from describe(model, TRANSFER)
    weights = [f"{loss}_layer_weights" for loss in ("style", "content")]
    told["layers"] = layers = layers_of(told, weights, model=model.name)
    for loss in ("style", "content"):
        of_loss = told.pop(f"{loss}_layer_weights")
        told[f"{loss}_layers"] = MappingProxyType(weights_by_name(layers, of_loss))
    return TransferDescription(**told, version=model.version)


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
