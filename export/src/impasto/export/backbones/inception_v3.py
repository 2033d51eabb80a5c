"""InceptionV3: Szegedy et al., "Rethinking the Inception Architecture for Computer Vision" (2016).

Branches are in the order in which Keras makes them, so that its weights fit one after the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import tensorflow as tf

from impasto.export.backbones.architecture import Architecture, Conv


def _network(x: tf.Tensor, conv: Conv) -> Iterator[tf.Tensor]:
    x = conv(x, 32, (3, 3), stride=2, padding="VALID")
    x = conv(x, 32, (3, 3), padding="VALID")
    x = conv(x, 64, (3, 3))
    x = _shrink(x)
    x = conv(x, 80, (1, 1), padding="VALID")
    x = conv(x, 192, (3, 3), padding="VALID")
    x = _shrink(x)
    for pooled in (32, 64, 64):
        x = _fine(x, conv, pooled)
        yield x
    x = _fine_to_middle(x, conv)
    yield x
    for inner in (128, 160, 160, 192):
        x = _middle(x, conv, inner)
        yield x
    x = _middle_to_coarse(x, conv)
    yield x
    for _ in range(2):
        x = _coarse(x, conv)
        yield x


def _shrink(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.max_pool2d(x, 3, 2, "VALID")


def _smooth(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.avg_pool2d(x, 3, 1, "SAME")


def _fine(x: tf.Tensor, conv: Conv, pooled: int) -> tf.Tensor:
    """1/8 of the image's sides: mixed0 to mixed2."""
    one = conv(x, 64, (1, 1))
    five = conv(conv(x, 48, (1, 1)), 64, (5, 5))
    double = conv(conv(conv(x, 64, (1, 1)), 96, (3, 3)), 96, (3, 3))
    return tf.concat([one, five, double, conv(_smooth(x), pooled, (1, 1))], axis=3)


def _fine_to_middle(x: tf.Tensor, conv: Conv) -> tf.Tensor:
    three = conv(x, 384, (3, 3), stride=2, padding="VALID")
    double = conv(conv(x, 64, (1, 1)), 96, (3, 3))
    double = conv(double, 96, (3, 3), stride=2, padding="VALID")
    return tf.concat([three, double, _shrink(x)], axis=3)


def _middle(x: tf.Tensor, conv: Conv, inner: int) -> tf.Tensor:
    """1/16 of the image's sides, 7x7 kernels as a row and a column: mixed4 to mixed7."""
    one = conv(x, 192, (1, 1))
    seven = conv(conv(conv(x, inner, (1, 1)), inner, (1, 7)), 192, (7, 1))
    double = conv(x, inner, (1, 1))
    for kernel in ((7, 1), (1, 7), (7, 1)):
        double = conv(double, inner, kernel)
    double = conv(double, 192, (1, 7))
    return tf.concat([one, seven, double, conv(_smooth(x), 192, (1, 1))], axis=3)


def _middle_to_coarse(x: tf.Tensor, conv: Conv) -> tf.Tensor:
    three = conv(conv(x, 192, (1, 1)), 320, (3, 3), stride=2, padding="VALID")
    seven = conv(conv(conv(x, 192, (1, 1)), 192, (1, 7)), 192, (7, 1))
    seven = conv(seven, 192, (3, 3), stride=2, padding="VALID")
    return tf.concat([three, seven, _shrink(x)], axis=3)


def _coarse(x: tf.Tensor, conv: Conv) -> tf.Tensor:
    """1/32 of the image's sides: mixed9 and mixed10."""
    one = conv(x, 320, (1, 1))
    three = conv(x, 384, (1, 1))
    three = [conv(three, 384, (1, 3)), conv(three, 384, (3, 1))]
    double = conv(conv(x, 448, (1, 1)), 384, (3, 3))
    double = [conv(double, 384, (1, 3)), conv(double, 384, (3, 1))]
    return tf.concat([one, *three, *double, conv(_smooth(x), 192, (1, 1))], axis=3)


def _from_signed(image: tf.Tensor) -> tf.Tensor:
    return image


INCEPTION_V3: Final = Architecture(
    name="inception_v3",
    layers=tuple(f"mixed{number}" for number in range(11)),
    minimum_side=75,
    normalised=True,
    network=_network,
    from_signed=_from_signed,
    convolutions=tuple(f"conv{number}" for number in range(94)),
)
