"""The losses of style transfer and their derivatives, as pure functions.

With F the activation of a layer as a matrix of n places by C channels, G = F'F/n its Gram matrix, T the painting's and
P the photo's own activation:

    style     w mean((G - T)^2)       d/dF = 2 w F (D + D') / (n C^2), where D = G - T
    content   w mean((F - P)^2)       d/dF = 2 w (F - P) / (n C)

For the first, automatic differentiation would take two products with F, not one. Everything is float32, whatever the
network computes in.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from impasto.export.backbones.gradients import Term, where_weighted

Target = Callable[[tf.Tensor], tf.Tensor]
"""From a layer's activation to its target, which has that shape, or that of its Gram matrix."""


def gram(activation: tf.Tensor) -> tf.Tensor:
    """[C, C]: for each pair of channels of [1, h, w, C] the mean over all places of their product."""
    rows = _rows(activation)
    return tf.matmul(rows, rows, transpose_a=True) / _places(rows)


def style_term(weight: tf.Tensor, target: Target) -> Term:
    """`weight` times the mean squared difference of the Gram matrix from its target [C, C]."""

    def compute(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        rows, difference = _rows(x), gram(x) - target(x)
        scale = 2.0 * weight / (_places(rows) * float(x.shape[-1]) ** 2)
        # A target that a client sent need not be symmetric.
        both = scale * (difference + tf.transpose(difference))
        return weight * _mean_square(difference), tf.reshape(tf.matmul(rows, both), tf.shape(x))

    return Term(weight, compute)


def content_term(weight: tf.Tensor, target: Target) -> Term:
    """`weight` times the mean squared difference of the activation from its target [1, h, w, C]."""

    def compute(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        difference = x - target(x)
        return weight * _mean_square(difference), (
            2.0 * weight / tf.cast(tf.size(x), tf.float32)
        ) * difference

    return Term(weight, compute)


def total_variation(picture: tf.Tensor, weight: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """`weight` times the sum of absolute differences between neighbouring pixels of [H, W, 3], and its gradient."""

    def computed() -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(picture)
            loss = weight * tf.image.total_variation(picture)
        return loss, tape.gradient(loss, picture)

    loss, gradient = where_weighted(weight, computed, lambda: (tf.constant(0.0), tf.zeros_like(picture)))
    return loss, gradient


def _mean_square(difference: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.square(difference))


def _rows(activation: tf.Tensor) -> tf.Tensor:
    return tf.reshape(activation, [-1, activation.shape[-1]])


def _places(rows: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.shape(rows)[0], tf.float32)
