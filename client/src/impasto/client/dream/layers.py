"""Layers by name to the weights that the model takes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from impasto.client.dream.options import Layers
from impasto.client.errors import InvalidInput

LARGEST_WEIGHT: Final = 1e6

_LEAST_NORMAL: Final = np.finfo(np.float32).tiny
"""TensorFlow takes anything smaller for zero."""


def layer_weights(
    layers: Layers, known: Sequence[str], *, name: str = "layers", least: float = -LARGEST_WEIGHT
) -> NDArray[np.float32]:
    """A weight for each known layer, float32 [n]; 0 for those that are not asked for.

    Args:
        layers: see Layers.
        known: the model's layers, from shallow to deep.
        name: of the parameter, for messages.
        least: the least weight.

    Raises:
        InvalidInput: an unknown layer, one that is named twice, or weights that are out of range or all zero.
    """
    weights = np.zeros(len(known), np.float32)
    seen: set[str] = set()
    for layer, weight in _pairs(layers, name):
        if layer not in known:
            raise InvalidInput(f"{name}: there is no {layer!r}; the model has {', '.join(known)}")
        if layer in seen:
            raise InvalidInput(f"{name}: {layer!r} is named twice; give its weight once")
        if not (math.isfinite(weight) and least <= weight <= LARGEST_WEIGHT):
            raise InvalidInput(
                f"{name}: {layer!r} weighs {weight}; it must be {least:g} to {LARGEST_WEIGHT:g}"
            )
        seen.add(layer)
        weights[known.index(layer)] = weight
    if not (abs(weights) >= _LEAST_NORMAL).any():
        raise InvalidInput(f"{name}: none has a weight other than 0; name at least one of {', '.join(known)}")
    return weights


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
