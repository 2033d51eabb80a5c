"""VGG19: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition" (2015)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import tensorflow as tf

from impasto.export.backbones.architecture import Architecture, Conv

_BLOCKS: Final = ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512))
"""Convolutions and filters of each block."""

# Of ImageNet, in blue, green, red order, on the scale 0..255.
_MEANS: Final = (103.939, 116.779, 123.68)


def preprocess(image: tf.Tensor) -> tf.Tensor:
    """RGB in 0..255 to what VGG19 was trained on: blue, green, red, minus ImageNet's means."""
    return image[..., ::-1] - tf.constant(_MEANS)


def _from_signed(image: tf.Tensor) -> tf.Tensor:
    return preprocess((image + 1.0) * 127.5)


def _network(x: tf.Tensor, conv: Conv) -> Iterator[tf.Tensor]:
    for block, (count, filters) in enumerate(_BLOCKS):
        if block:
            x = tf.nn.max_pool2d(x, 2, 2, "VALID")
        for _ in range(count):
            x = conv(x, filters, (3, 3))
            yield x


_LAYERS: Final = tuple(
    f"block{block}_conv{number}"
    for block, (count, _) in enumerate(_BLOCKS, start=1)
    for number in range(1, count + 1)
)

VGG19: Final = Architecture(
    name="vgg19",
    layers=_LAYERS,
    minimum_side=16,
    normalised=False,
    network=_network,
    from_signed=_from_signed,
    convolutions=_LAYERS,
)
