"""A served transfer model's description of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from impasto.client._jobs import PinnedModel, Steps
from impasto.client._models.layers import weights_by_name
from impasto.client._models.planning import describe, layers_of
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
