"""VGG19: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition" (2015)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import tensorflow as tf

from impasto.export.backbones.architecture import Architecture, Conv, Segment

_CONVOLUTIONS: Final = (2, 2, 4, 4, 4)
"""The convolutions of each block. A pooling that halves the sides is before each block but the first."""

# Of ImageNet, in blue, green, red order, on the scale 0..255.
_MEANS: Final = (103.939, 116.779, 123.68)


def block_of(layer: str) -> int:
    """The block, from 1, of a layer."""
    return int(layer.removeprefix("block").split("_")[0])


def preprocess(image: tf.Tensor) -> tf.Tensor:
    """RGB in 0..255 to what VGG19 was trained on: blue, green, red, minus ImageNet's means."""
    return image[..., ::-1] - tf.constant(_MEANS)


def _from_signed(image: tf.Tensor) -> tf.Tensor:
    return preprocess((image + 1.0) * 127.5)


def _layer(filters: int, *, pooled: bool) -> Callable[[tf.Tensor, Conv], tf.Tensor]:
    def compute(x: tf.Tensor, conv: Conv) -> tf.Tensor:
        return conv(tf.nn.max_pool2d(x, 2, 2, "VALID") if pooled else x, filters, (3, 3))

    return compute


def with_filters(*filters: int, convolutions: Sequence[int] = _CONVOLUTIONS) -> Architecture:
    """VGG19 with another number of filters, and perhaps of convolutions, in each of its five blocks."""
    segments = tuple(
        Segment(_layer(count, pooled=block > 1 and number == 1), (f"block{block}_conv{number}",))
        for block, (last, count) in enumerate(zip(convolutions, filters, strict=True), start=1)
        for number in range(1, last + 1)
    )
    return Architecture(
        name="vgg19",
        layers=tuple(name for segment in segments for name in segment.convolutions),
        minimum_side=16,
        normalised=False,
        segments=segments,
        from_signed=_from_signed,
    )


VGG19: Final = with_filters(64, 128, 256, 512, 512)
