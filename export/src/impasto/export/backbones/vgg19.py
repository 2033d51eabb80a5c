"""VGG19: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition" (2015)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import tensorflow as tf

from impasto.export.backbones.architecture import Architecture, Conv, Segment

_BLOCKS: Final = ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512))
"""Convolutions and filters of each block."""

# Of ImageNet, in blue, green, red order, on the scale 0..255.
_MEANS: Final = (103.939, 116.779, 123.68)


def preprocess(image: tf.Tensor) -> tf.Tensor:
    """RGB in 0..255 to what VGG19 was trained on: blue, green, red, minus ImageNet's means."""
    return image[..., ::-1] - tf.constant(_MEANS)


def _from_signed(image: tf.Tensor) -> tf.Tensor:
    return preprocess((image + 1.0) * 127.5)


def _layer(filters: int, *, pooled: bool) -> Callable[[tf.Tensor, Conv], tf.Tensor]:
    def compute(x: tf.Tensor, conv: Conv) -> tf.Tensor:
        return conv(tf.nn.max_pool2d(x, 2, 2, "VALID") if pooled else x, filters, (3, 3))

    return compute


_SEGMENTS: Final = tuple(
    Segment(_layer(filters, pooled=block > 1 and number == 1), (f"block{block}_conv{number}",))
    for block, (count, filters) in enumerate(_BLOCKS, start=1)
    for number in range(1, count + 1)
)

VGG19: Final = Architecture(
    name="vgg19",
    layers=tuple(name for segment in _SEGMENTS for name in segment.convolutions),
    minimum_side=16,
    normalised=False,
    segments=_SEGMENTS,
    from_signed=_from_signed,
)
