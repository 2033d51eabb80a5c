"""A dream model that exports in seconds and steps in milliseconds: a random network of three small convolutions."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from impasto.client.signatures import DREAM
from impasto.export.backbones import Architecture, Backbone, Segment
from impasto.export.backbones.weights import random_arrays
from impasto.export.dream.limits import DreamLimits, DreamSuggestions
from impasto.export.dream.served import DeepDream
from impasto.export.saved_model import save

LAYERS = ("shallow", "middle", "deep")
WEIGHTS = "random, for tests"
MINIMUM_SIDE = 8


ARCHITECTURE = Architecture(
    name="tiny",
    layers=LAYERS,
    minimum_side=MINIMUM_SIDE,
    normalised=False,
    segments=(
        Segment(lambda x, conv: conv(x, 4, (3, 3)), ("shallow",)),
        Segment(lambda x, conv: conv(x, 6, (3, 3), stride=2), ("middle",)),
        Segment(lambda x, conv: conv(x, 8, (3, 3)), ("deep",)),
    ),
    from_signed=tf.identity,
)
SUGGESTIONS = DreamSuggestions(
    layers={"middle": 1.0, "deep": 2.0}, steps=4, step_size=0.02, octave_scale=1.3, octaves=(-1, 0)
)
LIMITS = DreamLimits(
    minimum_side=MINIMUM_SIDE, maximum_steps=100, maximum_pixels=40_000, maximum_tile_pixels=20_000
)


def write_dream(root: Path, version: int = 1, *, seed: int = 0, limits: DreamLimits = LIMITS) -> Path:
    """Write `<root>/dream/<version>` with weights drawn from `seed`, warmed up."""
    backbone = Backbone(ARCHITECTURE, random_arrays(ARCHITECTURE, seed=seed))
    module = DeepDream(backbone, SUGGESTIONS, weights=WEIGHTS, limits=limits)
    directory = root / DREAM.name / str(version)
    save(module, directory, module.functions, contract=DREAM)
    return directory
