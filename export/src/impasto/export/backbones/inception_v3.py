"""InceptionV3: Szegedy et al., "Rethinking the Inception Architecture for Computer Vision" (2016).

Convolutions have the numbers that Keras gives them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import tensorflow as tf

from impasto.export.backbones.architecture import Architecture, Conv, Segment


def _stem(x: tf.Tensor, conv: Conv) -> tf.Tensor:
    x = conv(x, 32, (3, 3), stride=2, padding="VALID")
    x = conv(x, 32, (3, 3), padding="VALID")
    x = conv(x, 64, (3, 3))
    x = _shrink(x)
    x = conv(x, 80, (1, 1), padding="VALID")
    x = conv(x, 192, (3, 3), padding="VALID")
    return _shrink(x)


def _shrink(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.max_pool2d(x, 3, 2, "VALID")


def _fine(x: tf.Tensor, conv: Conv, pooled: int) -> tf.Tensor:
    """1/8 of the image's sides: mixed0 to mixed2."""
    one, five, double, smooth = conv.heads(x, (64, 48, 64), smoothed=pooled)
    five = conv(five, 64, (5, 5))
    double = conv(conv(double, 96, (3, 3)), 96, (3, 3))
    return tf.concat([one, five, double, smooth], axis=3)


def _fine_to_middle(x: tf.Tensor, conv: Conv) -> tf.Tensor:
    three = conv(x, 384, (3, 3), stride=2, padding="VALID")
    double = conv(conv(x, 64, (1, 1)), 96, (3, 3))
    double = conv(double, 96, (3, 3), stride=2, padding="VALID")
    return tf.concat([three, double, _shrink(x)], axis=3)


def _middle(x: tf.Tensor, conv: Conv, inner: int) -> tf.Tensor:
    """1/16 of the image's sides, 7x7 kernels as a row and a column: mixed4 to mixed7."""
    one, seven, double, smooth = conv.heads(x, (192, inner, inner), smoothed=192)
    seven = conv(conv(seven, inner, (1, 7)), 192, (7, 1))
    for kernel in ((7, 1), (1, 7), (7, 1)):
        double = conv(double, inner, kernel)
    double = conv(double, 192, (1, 7))
    return tf.concat([one, seven, double, smooth], axis=3)


def _middle_to_coarse(x: tf.Tensor, conv: Conv) -> tf.Tensor:
    three, seven = conv.heads(x, (192, 192))
    three = conv(three, 320, (3, 3), stride=2, padding="VALID")
    seven = conv(conv(seven, 192, (1, 7)), 192, (7, 1))
    seven = conv(seven, 192, (3, 3), stride=2, padding="VALID")
    return tf.concat([three, seven, _shrink(x)], axis=3)


def _coarse(x: tf.Tensor, conv: Conv) -> tf.Tensor:
    """1/32 of the image's sides: mixed9 and mixed10."""
    one, three, double, smooth = conv.heads(x, (320, 384, 448), smoothed=192)
    three = [conv(three, 384, (1, 3)), conv(three, 384, (3, 1))]
    double = conv(double, 384, (3, 3))
    double = [conv(double, 384, (1, 3)), conv(double, 384, (3, 1))]
    return tf.concat([one, *three, *double, smooth], axis=3)


# Keras numbers a block's convolutions branch by branch; here those of one input come first.
_STEM_ORDER: Final = (0, 1, 2, 3, 4)
_FINE_ORDER: Final = (0, 1, 3, 6, 2, 4, 5)
_MIDDLE_ORDER: Final = (0, 1, 4, 9, 2, 3, 5, 6, 7, 8)
_COARSE_ORDER: Final = (0, 1, 4, 8, 2, 3, 5, 6, 7)
_BLOCKS: Final[tuple[tuple[Callable[[tf.Tensor, Conv], tf.Tensor], tuple[int, ...]], ...]] = (
    (
        lambda x, conv: _fine(_stem(x, conv), conv, 32),
        (*_STEM_ORDER, *(5 + number for number in _FINE_ORDER)),
    ),
    (lambda x, conv: _fine(x, conv, 64), _FINE_ORDER),
    (lambda x, conv: _fine(x, conv, 64), _FINE_ORDER),
    (_fine_to_middle, (0, 1, 2, 3)),
    (lambda x, conv: _middle(x, conv, 128), _MIDDLE_ORDER),
    (lambda x, conv: _middle(x, conv, 160), _MIDDLE_ORDER),
    (lambda x, conv: _middle(x, conv, 160), _MIDDLE_ORDER),
    (lambda x, conv: _middle(x, conv, 192), _MIDDLE_ORDER),
    (_middle_to_coarse, (0, 2, 1, 3, 4, 5)),
    (_coarse, _COARSE_ORDER),
    (_coarse, _COARSE_ORDER),
)


def _segments() -> Iterator[Segment]:
    first = 0
    for compute, order in _BLOCKS:
        yield Segment(compute, tuple(f"conv{first + number}" for number in order))
        first += len(order)


def _from_signed(image: tf.Tensor) -> tf.Tensor:
    return image


INCEPTION_V3: Final = Architecture(
    name="inception_v3",
    layers=tuple(f"mixed{number}" for number in range(11)),
    minimum_side=75,
    normalised=True,
    segments=tuple(_segments()),
    from_signed=_from_signed,
)
