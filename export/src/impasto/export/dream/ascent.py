"""Gradient ascent on a picture, by gradients that may be smoothed.

A network's gradient has most of its strength in the finest detail, where it draws speckle. Made smooth, it is the sum
of its Gaussian-blurred copies, which split it into octaves of frequency; each is divided by its standard deviation, so
that wide structures count as much as fine ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import tensorflow as tf

from impasto.export.branches import where_positive
from impasto.export.dream.tiles import Gradient, tiled_gradient

EPSILON = 1e-8

_REACH = 3.0
"""The standard deviations after which a Gaussian is cut off."""


class Gaussians(NamedTuple):
    """The Gaussians that a gradient is blurred by. Made once: see `branches` for what a step may not ask for.

    Attributes:
        reaches: int32 [k], the whole pixels after which each is cut off.
        values: float32 [k, 2 r + 1], where r is the largest reach: exp(-i^2 / 2 s^2) for i in -r..r.
    """

    reaches: tf.Tensor
    values: tf.Tensor


def gaussians(sigmas: tf.Tensor) -> Gaussians:
    """The Gaussians of these standard deviations, float32 [k], in pixels, each above 0."""
    reaches = tf.cast(tf.math.ceil(_REACH * sigmas), tf.int32)
    longest = tf.reduce_max(tf.concat([reaches, [0]], axis=0))
    places = tf.cast(tf.range(-longest, longest + 1), tf.float32)
    return Gaussians(reaches, tf.exp(-0.5 * tf.square(places[None, :] / sigmas[:, None])))


def smoothed(gradient: tf.Tensor, by: Gaussians) -> tf.Tensor:
    """Return the sum over s of G_s * g / (std(G_s * g) + 1e-8); if there are no Gaussians, the gradient as it is.

    Args:
        gradient: float32 [H, W, 3].
        by: the Gaussians G_s.

    Returns:
        float32 [H, W, 3].
    """
    count = tf.size(by.reaches)

    def body(index: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        copy = blurred(gradient, by, index)
        return index + 1, total + copy / (tf.math.reduce_std(copy) + EPSILON)

    def summed() -> tf.Tensor:
        start = tf.constant(0), tf.zeros_like(gradient)
        shapes = tf.TensorShape([]), tf.TensorShape([None, None, 3])
        _, total = tf.while_loop(
            lambda index, _: index < count, body, start, shape_invariants=shapes, parallel_iterations=1
        )
        return total

    # A gradient that stays as it is, is not copied.
    return tf.ensure_shape(where_positive(count, summed, lambda: gradient), [None, None, 3])


def blurred(gradient: tf.Tensor, by: Gaussians, index: tf.Tensor) -> tf.Tensor:
    """Return `gradient` [H, W, 3] blurred by one of the Gaussians; beyond the picture it is 0."""
    reach, middle = by.reaches[index], tf.shape(by.values)[1] // 2
    taps = by.values[index, middle - reach : middle + reach + 1]
    taps /= tf.reduce_sum(taps)
    down = tf.tile(taps[:, None, None, None], [1, 1, 3, 1])
    across = tf.transpose(down, [1, 0, 2, 3])
    for kernel in (down, across):
        gradient = tf.nn.depthwise_conv2d(gradient[None], kernel, [1, 1, 1, 1], "SAME")[0]
    return gradient


@dataclass(frozen=True)
class Ascent:
    """The parameters of an ascent; all but `gaussians` are tensors [].

    Attributes:
        count: how many steps, int32.
        size: the step's size, float32.
        first: the number of the first step, int32.
        tile: see `tile_size`, int32.
        seed: what the shifts are drawn from, int32.
        gaussians: see `smoothed`.
        shift: how far a picture in one tile is shifted at most, in pixels, int32.
        fade_in: the number of steps over which a step grows to its size, int32; 0 takes the whole size at once.
    """

    count: tf.Tensor
    size: tf.Tensor
    first: tf.Tensor
    tile: tf.Tensor
    seed: tf.Tensor
    gaussians: Gaussians
    shift: tf.Tensor
    fade_in: tf.Tensor


def ascend(state: tf.Tensor, gradient: Gradient, ascent: Ascent) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Repeat `count` times, with g as `smoothed` makes it: x = clip(x + size g / (std(g) + 1e-8), -1, 1).

    No variable changes: all that a step leaves is in the loop's own state, and what is random follows from the seed and
    the step's number, so a job may be cut anywhere.

    Returns:
        The state [H, W, 3], and of the last step the loss [] and std(g) []; zeros if there was none.
    """

    sizes = _sizes(ascent)

    def body(
        done: tf.Tensor, state: tf.Tensor, _loss: tf.Tensor, _scale: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        step = ascent.first + done
        loss, g = tiled_gradient(
            state, gradient, tile=ascent.tile, shift=ascent.shift, seed=ascent.seed, step=step
        )
        g = smoothed(g, ascent.gaussians)
        scale = tf.math.reduce_std(g)
        state = tf.clip_by_value(state + sizes[done] * (g / (scale + EPSILON)), -1.0, 1.0)
        return done + 1, state, loss, scale

    _, state, loss, scale = tf.while_loop(
        lambda done, *_: done < ascent.count,
        body,
        (tf.constant(0), state, tf.constant(0.0), tf.constant(0.0)),
        shape_invariants=(
            tf.TensorShape([]),
            tf.TensorShape([None, None, 3]),
            tf.TensorShape([]),
            tf.TensorShape([]),
        ),
        parallel_iterations=1,
    )
    return state, loss, scale


def _sizes(ascent: Ascent) -> tf.Tensor:
    """The size of each step, float32 [count]: it grows evenly over the first `fade_in` steps of a job."""
    numbers = ascent.first + tf.range(1, ascent.count + 1)
    shares = tf.cast(numbers, tf.float32) / tf.cast(tf.maximum(ascent.fade_in, 1), tf.float32)
    return tf.where(numbers < ascent.fade_in, ascent.size * shares, ascent.size)
