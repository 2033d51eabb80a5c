"""The words for what models can do: upscalers, the layers of the networks that dream, recipes of transfers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from impasto.client import State, signatures
from impasto.client._models.dream import recipes as dream_recipes

if TYPE_CHECKING:
    from impasto.client.studio.served import Served

_ABOUT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "srcnn": "The classic of 2014: small, quick, sharpens edges.",
        "upscaler-small": "Quick and faithful; for many pictures, or a server without a GPU.",
        "upscaler-base": "Faithful, finer lines than the small one, at twice its time.",
        "upscaler-small-real": "Quick; takes away noise and traces of JPEG as well.",
        "upscaler-base-real": "Takes away noise and traces of JPEG as well; for photos from the web.",
        "upscaler-large-real": "The best for photos from the web, at several times the time of the others.",
        "realesrgan-x4plus": "Invents texture where there is none: crisp, and slow without a GPU.",
    }
)

_INCEPTION: Final = MappingProxyType(
    {
        "mixed0": "strokes and grain",
        "mixed1": "hatching and ripples",
        "mixed2": "knots and beads",
        "mixed3": "spirals, fur and arches",
        "mixed4": "eyes, feathers and scales",
        "mixed5": "faces, wheels and towers",
        "mixed6": "heads and shells",
        "mixed7": "animals and plants",
        "mixed8": "parts of animals, wide and loose",
        "mixed9": "whole creatures, loose",
        "mixed10": "faint, far shapes",
    }
)
_VGG: Final = MappingProxyType(
    {
        "block1": "colours and edges",
        "block2": "strokes and small patterns",
        "block3": "grids, scales and fur",
        "block4": "fur, eyes and petals",
        "block5": "faces, animals and buildings",
    }
)
_BY_DEPTH: Final = (
    "edges and strokes",
    "small patterns",
    "textures and curls",
    "eyes and fur",
    "faces and parts of things",
    "whole animals and buildings",
)

DREAM_NUMBERS: Final = ("steps", "step_size", "octave_scale", "octaves")

TRANSFER_RECIPES: Final[Sequence[Mapping[str, str]]] = (
    {
        "name": "draft",
        "title": "Draft",
        "about": "A small painting, to see whether the style suits the photo.",
    },
    {"name": "fine", "title": "Fine", "about": "From coarse to fine, at most 512 pixels."},
    {"name": "gallery", "title": "Gallery", "about": "The same, at most 1024 pixels; hours without a GPU."},
    {"name": "classic", "title": "Classic", "about": "As it was published: one size, rougher."},
)
"""The recipes of a transfer, in the order in which they are shown."""

DREAM_RECIPES: Final[Sequence[Mapping[str, str]]] = (
    {"name": "fine", "title": "Fine", "about": "Clear forms in a photo that keeps its detail."},
    {"name": "classic", "title": "Classic", "about": "As it was published: rougher, with speckles."},
)
"""The recipes of a dream, likewise."""


def draws(layer: str, place: int, layers: int) -> str:
    """Return what a layer draws when a picture dreams of it.

    Args:
        layer: its name.
        place: its place among the layers that can be excited, from 0.
        layers: their number.
    """
    known = _INCEPTION.get(layer) or _VGG.get(layer.partition("_")[0])
    return known or _BY_DEPTH[min(len(_BY_DEPTH) - 1, place * len(_BY_DEPTH) // max(layers, 1))]


def licence(weights: str | None) -> str | None:
    """Return the licence in the line about a model's weights, which ends with it."""
    if weights is None:
        return None
    last = weights.rpartition(";")[2].strip()
    return last if re.fullmatch(r"[\w.+ -]{2,40}", last) else None


def start(served: Served) -> dict[str, Any]:
    """Return what the page's forms are made of: the models that answer, by their kinds."""
    layers = signatures.DREAM.name, signatures.TRANSFER.name
    found = {
        kind: {"models": [_model(one) for one in served.described(kind)]} for kind in signatures.CONTRACTS
    }
    for kind in layers:
        for entry, one in zip(found[kind]["models"], served.described(kind), strict=True):
            names: Sequence[str] = one.described.layers
            entry["layers"] = [
                {"name": name, "draws": draws(name, place, len(names))} for place, name in enumerate(names)
            ]
    for entry, one in zip(found["dream"]["models"], served.described("dream"), strict=True):
        told = one.described
        entry["default"] = list(told.layer_weights)
        entry["suggested"] = {
            "layers": dict(told.layer_weights),
            "octaves": list(told.octaves),
            "octave_scale": told.octave_scale,
            "steps": told.steps,
            "step_size": told.step_size,
            **_usual(dream_recipes.RECIPES[dream_recipes.FINE], DREAM_NUMBERS),
        }
    return {
        **found,
        "dream": {**found["dream"], "recipes": list(DREAM_RECIPES)},
        "transfer": {**found["transfer"], "recipes": list(TRANSFER_RECIPES)},
    }


def _model(one: Any) -> dict[str, Any]:
    shown = one.as_json()
    return {
        "name": one.name,
        "about": _ABOUT.get(one.name),
        "network": shown["network"],
        "weights": shown["weights"],
        "licence": shown["licence"],
        "factors": shown["factors"],
        "versions": [
            entry["version"] for entry in shown["versions"] if entry["state"] == State.AVAILABLE.name
        ],
    }


def _usual(recipe: Any, names: Sequence[str]) -> dict[str, Any]:
    """Return what the usual recipe takes, where it does not leave it to the model."""
    found = {name: getattr(recipe, name) for name in names}
    return {name: value for name, value in found.items() if value is not None}
