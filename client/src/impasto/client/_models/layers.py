"""Layers by name to the weights that the model takes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from impasto.client.errors import InvalidInput

Layers: TypeAlias = Mapping[str, float] | Sequence[str | tuple[str, float]]
"""Layers and their weights: `{"mixed3": 1.0, "mixed5": 0.5}` or, the same, `["mixed3", ("mixed5", 0.5)]`."""

LARGEST_WEIGHT: Final = 1e6

_LEAST_NORMAL: Final = 2.0**-126
"""TensorFlow takes anything smaller for zero."""


def named_layers(
    layers: Layers | None, *, name: str = "layers", least: float = -LARGEST_WEIGHT
) -> tuple[tuple[str, float], ...] | None:
    """Return layers as pairs of name and weight; None stands for what the model suggests.

    Args:
        layers: as the caller gave them.
        name: of the parameter, for messages.
        least: the least weight.

    Raises:
        InvalidInput: a layer is named twice, or weights are out of range or all zero.
    """
    if layers is None:
        return None
    pairs = tuple(_pairs(layers, name))
    seen: set[str] = set()
    for layer, weight in pairs:
        if layer in seen:
            raise InvalidInput(f"{name}: {layer!r} is named twice; give its weight once")
        if not (math.isfinite(weight) and least <= weight <= LARGEST_WEIGHT):
            raise InvalidInput(
                f"{name}: {layer!r} weighs {weight}; it must be {least:g} to {LARGEST_WEIGHT:g}"
            )
        seen.add(layer)
    if not any(abs(weight) >= _LEAST_NORMAL for _, weight in pairs):
        raise InvalidInput(f"{name}: none has a weight other than 0; name at least one layer of the model")
    return pairs


def layer_weights(
    pairs: Iterable[tuple[str, float]], known: Sequence[str], *, name: str = "layers"
) -> NDArray[np.float32]:
    """Return a weight for each known layer, float32 [n]; 0 for those that are not asked for.

    Args:
        pairs: names and weights.
        known: the model's layers, from shallow to deep.
        name: of the parameter, for messages.

    Raises:
        InvalidInput: the model has no such layer.
    """
    places = {layer: place for place, layer in enumerate(known)}
    weights = np.zeros(len(known), np.float32)
    for layer, weight in pairs:
        if layer not in places:
            raise InvalidInput(f"{name}: there is no {layer!r}; the model has {', '.join(known)}")
        weights[places[layer]] = weight
    return weights


def weights_by_name(layers: Sequence[str], weights: Sequence[float]) -> dict[str, float]:
    """Return the weights of layers by their names; layers of no weight are left out."""
    return {layer: weight for layer, weight in zip(layers, weights, strict=False) if weight}


def _pairs(layers: Layers, parameter: str) -> list[tuple[str, float]]:
    if isinstance(layers, str):
        return [(layers, 1.0)]
    try:
        entries: list[Any] = list(layers.items() if isinstance(layers, Mapping) else layers)
    except TypeError as error:
        raise _not_a_layer(layers, parameter) from error
    return [_pair(entry, parameter) for entry in entries]


def _pair(entry: Any, parameter: str) -> tuple[str, float]:
    name, weight = (entry, 1.0) if isinstance(entry, str) else _unpacked(entry, parameter)
    if not isinstance(name, str) or isinstance(weight, str | bytes):
        raise _not_a_layer(entry, parameter)
    try:
        return name, float(weight)
    except OverflowError:  # a whole number beyond all floats
        return name, math.inf
    except (TypeError, ValueError) as error:
        raise _not_a_layer(entry, parameter) from error


def _unpacked(entry: Any, parameter: str) -> tuple[Any, Any]:
    try:
        name, weight = entry
    except (TypeError, ValueError) as error:
        raise _not_a_layer(entry, parameter) from error
    return name, weight


def _not_a_layer(entry: object, parameter: str) -> InvalidInput:
    return InvalidInput(f"{parameter}: {entry!r} is neither a layer's name nor a pair (name, weight)")
