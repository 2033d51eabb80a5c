"""The losses of one layer and their gradients with respect to its activation, as pure functions.

The gradients are written out rather than traced: a Gram matrix is symmetric, so its gradient takes one matrix product
where automatic differentiation takes two, and a layer's loss can be left out of the backward pass at run time.

Everything is float32, whatever the network computes in.
"""

from __future__ import annotations

import tensorflow as tf


def in_float32(activation: tf.Tensor) -> tf.Tensor:
    """The activation, whatever the network computes in."""
    return tf.cast(activation, tf.float32)


def gram(activation: tf.Tensor) -> tf.Tensor:
    """[C, C]: for each pair of channels of [1, h, w, C] the mean over all places of their product."""
    rows = _rows(activation)
    return tf.matmul(rows, rows, transpose_a=True) / tf.cast(tf.shape(rows)[0], tf.float32)


def mean_square(difference: tf.Tensor) -> tf.Tensor:
    """The mean of the squares of all elements, []."""
    return tf.reduce_mean(tf.square(difference))


def style_gradient(activation: tf.Tensor, difference: tf.Tensor) -> tf.Tensor:
    """Of mean_square(difference) with difference = gram(activation) - target, [C, C]; as `activation`.

    d/dF of 1/C^2 |F'F/n - T|^2 is 2 F (D + D') / (n C^2), with n places and D the difference.
    """
    rows = _rows(activation)
    places = tf.cast(tf.shape(rows)[0], tf.float32)
    channels = float(activation.shape[-1])
    both = (difference + tf.transpose(difference)) * (2.0 / (places * channels * channels))
    return tf.reshape(tf.matmul(rows, both), tf.shape(activation))


def content_difference(activation: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """The activation [1, h, w, C] minus its target, which is flat."""
    return in_float32(activation) - tf.reshape(target, tf.shape(activation))


def content_gradient(difference: tf.Tensor) -> tf.Tensor:
    """Of mean_square(difference) with respect to the activation."""
    return difference * (2.0 / tf.cast(tf.size(difference), tf.float32))


def total_variation(image: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """`weight` times the sum of absolute differences between neighbouring pixels of [H, W, 3]."""
    return weight * tf.image.total_variation(image)


def _rows(activation: tf.Tensor) -> tf.Tensor:
    return tf.reshape(in_float32(activation), [-1, activation.shape[-1]])
