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


def layer_weights(layers: Layers, known: Sequence[str]) -> NDArray[np.float32]:
    """A weight for each known layer, float32 [n]; 0 for those that are not asked for.

    Args:
        layers: see Layers.
        known: the model's layers, from shallow to deep.

    Raises:
        InvalidInput: an unknown layer, one that is named twice, or weights that are out of range or all zero.
    """
    weights = np.zeros(len(known), np.float32)
    seen = set()
    for name, weight in _pairs(layers):
        if name not in known:
            raise InvalidInput(f"layers: there is no {name!r}; the model has {', '.join(known)}")
        if name in seen:
            raise InvalidInput(f"layers: {name!r} is named twice; give its weight once")
        if not (math.isfinite(weight) and abs(weight) <= LARGEST_WEIGHT):
            raise InvalidInput(
                f"layers: {name!r} weighs {weight}; it must be {-LARGEST_WEIGHT:g} to {LARGEST_WEIGHT:g}"
            )
        seen.add(name)
        weights[known.index(name)] = weight
    if not weights.any():
        raise InvalidInput(f"layers: none has a weight other than 0; name at least one of {', '.join(known)}")
    return weights


def _pairs(layers: Layers) -> list[tuple[str, float]]:
    if isinstance(layers, str):
        return [(layers, 1.0)]
    entries: list[Any] = list(layers.items() if isinstance(layers, Mapping) else layers)
    return [_pair(entry) for entry in entries]


def _pair(entry: Any) -> tuple[str, float]:
    name, weight = (entry, 1.0) if isinstance(entry, str) else _unpacked(entry)
    if not isinstance(name, str) or isinstance(weight, str | bytes):
        raise _not_a_layer(entry)
    try:
        return name, float(weight)
    except (TypeError, ValueError) as error:
        raise _not_a_layer(entry) from error


def _unpacked(entry: Any) -> tuple[Any, Any]:
    try:
        name, weight = entry
    except (TypeError, ValueError) as error:
        raise _not_a_layer(entry) from error
    return name, weight


def _not_a_layer(entry: object) -> InvalidInput:
    return InvalidInput(f"layers: {entry!r} is neither a layer's name nor a pair (name, weight)")
