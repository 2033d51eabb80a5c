"""A whole network of whose layers a request may name only some: each costs seconds to export, to load and to call."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import tensorflow as tf

from impasto.export.backbones import Architecture, Segment
from impasto.export.backbones.architecture import Conv


def with_layers(architecture: Architecture, *layers: str) -> Architecture:
    """The same network, convolution by convolution, down to the deepest of its candidate layers.

    Args:
        architecture: the network; its weights are the result's, too.
        layers: the candidate layers, from shallow to deep.
    """
    ends = [0, *(architecture.layers.index(layer) + 1 for layer in layers)]
    parts = [architecture.segments[begin:end] for begin, end in itertools.pairwise(ends)]
    return replace(architecture, layers=layers, segments=tuple(map(_joined, parts)))


def _joined(segments: Sequence[Segment]) -> Segment:
    def compute(x: tf.Tensor, conv: Conv) -> tf.Tensor:
        for segment in segments:
            x = segment.compute(x, conv)
        return x

    return Segment(compute, tuple(name for segment in segments for name in segment.convolutions))
