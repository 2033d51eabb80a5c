"""A gradient made smooth: the sum of its Gaussian-blurred copies, each as strong as the others.

A network's gradient has most of its strength in the finest detail, where it draws speckle. The copies split it into
octaves of frequency; each is divided by its standard deviation, so that wide structures count as much as fine ones.
"""

from __future__ import annotations

import tensorflow as tf

EPSILON = 1e-8

_REACH = 3.0
"""The standard deviations after which a Gaussian is cut off."""


def smoothed(gradient: tf.Tensor, sigmas: tf.Tensor) -> tf.Tensor:
    """Return the sum over s of G_s * g / (std(G_s * g) + 1e-8), G_s being a Gaussian of standard deviation s.

    Args:
        gradient: float32 [H, W, 3].
        sigmas: float32 [k], in pixels, each above 0; if there are none, the gradient stays as it is.

    Returns:
        float32 [H, W, 3].
    """

    def body(index: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        copy = blurred(gradient, sigmas[index])
        return index + 1, total + copy / (tf.math.reduce_std(copy) + EPSILON)

    def summed() -> tf.Tensor:
        count = tf.size(sigmas)
        start = tf.constant(0), tf.zeros_like(gradient)
        shapes = tf.TensorShape([]), tf.TensorShape([None, None, 3])
        _, total = tf.while_loop(
            lambda index, _: index < count, body, start, shape_invariants=shapes, parallel_iterations=1
        )
        return total

    # A gradient that stays as it is, is not copied.
    return tf.ensure_shape(tf.cond(tf.size(sigmas) > 0, summed, lambda: gradient), [None, None, 3])


def blurred(gradient: tf.Tensor, sigma: tf.Tensor) -> tf.Tensor:
    """Return `gradient` [H, W, 3] blurred by a Gaussian that is cut off after 3 `sigma`; beyond the picture it is 0."""
    reach = tf.math.ceil(_REACH * sigma)
    taps = tf.exp(-0.5 * tf.square(tf.range(-reach, reach + 1.0) / sigma))
    taps /= tf.reduce_sum(taps)
    down = tf.tile(taps[:, None, None, None], [1, 1, 3, 1])
    across = tf.transpose(down, [1, 0, 2, 3])
    for kernel in (down, across):
        gradient = tf.nn.depthwise_conv2d(gradient[None], kernel, [1, 1, 1, 1], "SAME")[0]
    return gradient
