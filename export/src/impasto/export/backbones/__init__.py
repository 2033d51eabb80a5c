"""Backbones: the trained networks whose activations dream and transfer optimise."""

from __future__ import annotations

from typing import Final

from impasto.export.backbones.architecture import Architecture, Segment
from impasto.export.backbones.backbone import Backbone, BackboneError
from impasto.export.backbones.inception_v3 import INCEPTION_V3
from impasto.export.backbones.vgg19 import VGG19
from impasto.export.backbones.weights import DownloadError, Provenance, Weights, WeightsError, load_weights

BACKBONES: Final = {architecture.name: architecture for architecture in (INCEPTION_V3, VGG19)}
"""Every network by its name."""

__all__ = [
    "BACKBONES",
    "INCEPTION_V3",
    "VGG19",
    "Architecture",
    "Backbone",
    "BackboneError",
    "DownloadError",
    "Provenance",
    "Segment",
    "Weights",
    "WeightsError",
    "load_weights",
]
