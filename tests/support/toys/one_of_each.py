"""A small network with one of each kind of convolution, and what it makes of a picture."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from impasto.export.backbones import Backbone, Segment
from toys import dream_models

PICTURE = np.random.default_rng(2).uniform(-1.0, 1.0, (19, 23, 3)).astype(np.float32)


def _block(x: Any, conv: Any) -> Any:
    one, three, smoothed = conv.heads(x, (4, 6), smoothed=5)
    three = conv(conv(three, 6, (3, 3)), 6, (3, 3))
    return tf.concat([one, three, smoothed], axis=3)


ARCHITECTURE = replace(
    dream_models.ARCHITECTURE,
    normalised=True,
    segments=(
        Segment(lambda x, conv: conv(x, 4, (3, 3)), ("shallow",)),
        Segment(_block, ("one", "three_before", "smoothed", "three", "three_after")),
        Segment(lambda x, conv: conv(x, 8, (3, 3), stride=2, padding="VALID"), ("deep",)),
    ),
)
"""One of each kind: convolutions of one input, a smoothed one, two kernels of one shape, one with a stride."""


def layers_and_gradient(backbone: Backbone, *, count: int, picture: Any = PICTURE) -> tuple[list[Any], Any]:
    """`count` layers, float32, and the gradient of the last one's weighted sum by the picture."""
    x = tf.constant(picture[None])
    with tf.GradientTape() as tape:
        tape.watch(x)
        layers = backbone.activations(x, count)
        weights = np.random.default_rng(0).uniform(0.5, 1.5, layers[-1].shape).astype(np.float32)
        total = tf.reduce_sum(weights * layers[-1])
    assert [layer.dtype for layer in layers] == [tf.float32] * count
    return [layer.numpy() for layer in layers], tape.gradient(total, x).numpy()
