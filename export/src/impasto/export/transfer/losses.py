"""The losses of style transfer and their derivatives, as pure functions.

With F the activation of a layer as a matrix of n places by C channels, G = F'F/n its Gram matrix, T the painting's and
P the photo's own activation:

    style     w mean((G - T)^2)       d/dF = 2 w F (D + D') / (n C^2), where D = G - T
    content   w mean((F - P)^2)       d/dF = 2 w (F - P) / (n C)

Scaled losses, where `scaled` is 1, take the sum of squares over the sum of absolute values for the mean, in both. With
r that quotient, A the sum of absolute values and S the signs, its derivative by a difference D is (2 D - r S)/A: its
absolute values sum to about one, at any size and in any layer.

For style, automatic differentiation would take two products with F, not one. Everything is float32, whatever the
network computes in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import tensorflow as tf

from impasto.export.branches import place_count, where_positive
from impasto.export.functions import graph_function

_NO_DIFFERENCE: Final = 1e-8

Target = Callable[[tf.Tensor], tf.Tensor]
"""From a layer's activation to its target, which has that shape, or that of its Gram matrix."""

Loss = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
"""From a layer's activation x to the loss [] and its derivative by x."""


def gram(activation: tf.Tensor) -> tf.Tensor:
    """[C, C]: for each pair of channels of [1, h, w, C] the mean over all places of their product."""
    rows = _rows(activation)
    return tf.matmul(rows, rows, transpose_a=True) / place_count(activation)


def style_loss(weight: tf.Tensor, target: Target, scaled: tf.Tensor) -> Loss:
    """`weight` times the mean squared difference of the Gram matrix from its target [C, C], or the scaled one."""

    def compute(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        rows, difference = _rows(x), gram(x) - target(x)
        loss, derivative = _loss_of(difference, tf.constant(2.0 / x.shape[-1] ** 2), weight, scaled)
        derivative = tf.ensure_shape(derivative, difference.shape)
        # A target that a client sent need not be symmetric.
        both = (derivative + tf.transpose(derivative)) / place_count(x)
        return loss, tf.reshape(tf.matmul(rows, both), tf.shape(x))

    return compute


def content_loss(weight: tf.Tensor, target: Target, scaled: tf.Tensor) -> Loss:
    """`weight` times the mean squared difference of the activation from its target [1, h, w, C], or the scaled one."""

    def compute(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        difference = x - target(x)
        share = (2.0 / x.shape[-1]) / place_count(x)
        loss, derivative = _loss_of(difference, share, weight, scaled)
        return loss, tf.ensure_shape(derivative, difference.shape)

    return compute


def total_variation(picture: tf.Tensor, weight: tf.Tensor, scaled: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The differences between neighbouring pixels of [H, W, 3] as a loss, and its gradient.

    It is `weight` times the sum of their absolute values; for scaled losses, times the sum of their squares over the
    count of numbers in the picture, which flattens noise before it flattens edges.
    """

    def computed(loss_of: Callable[[tf.Tensor], tf.Tensor]) -> Callable[[], tuple[tf.Tensor, tf.Tensor]]:
        def compute() -> tuple[tf.Tensor, tf.Tensor]:
            with tf.GradientTape() as tape:
                tape.watch(picture)
                loss = weight * loss_of(picture)
            return loss, tape.gradient(loss, picture)

        return compute

    loss, gradient = where_positive(scaled, computed(_squared_variation), computed(tf.image.total_variation))
    return loss, gradient


def _squared_variation(picture: tf.Tensor) -> tf.Tensor:
    down, across = picture[1:] - picture[:-1], picture[:, 1:] - picture[:, :-1]
    sums = tf.reduce_sum(tf.square(down)) + tf.reduce_sum(tf.square(across))
    return sums / (place_count(picture) * float(picture.shape[-1]))


def _of_difference(
    difference: tf.Tensor, share: tf.Tensor, weight: tf.Tensor, scaled: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """The loss of differences, and its derivative by them: see this module. `share` is 2 over their count."""

    def usual() -> tuple[tf.Tensor, tf.Tensor]:
        each = weight * share
        return each * tf.nn.l2_loss(difference), each * difference

    def in_scale() -> tuple[tf.Tensor, tf.Tensor]:
        loss, derivative = _scaled(difference)
        return weight * loss, weight * derivative

    loss, derivative = where_positive(scaled, in_scale, usual)
    return loss, derivative


_NUMBER = tf.TensorSpec([])
_loss_of = graph_function(_of_difference, tf.TensorSpec(None), _NUMBER, _NUMBER, tf.TensorSpec([], tf.int32))
"""`_of_difference`, of which the graph holds one for all layers."""


def _scaled(difference: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The sum of squares over the sum of absolute values, and its derivative; both 0 where there is no difference."""
    total = tf.reduce_sum(tf.abs(difference)) + _NO_DIFFERENCE
    loss = tf.reduce_sum(tf.square(difference)) / total
    return loss, (2.0 * difference - loss * tf.sign(difference)) / total


def _rows(activation: tf.Tensor) -> tf.Tensor:
    return tf.reshape(activation, [-1, activation.shape[-1]])
