"""Gradient ascent on a picture, by gradients that may be smoothed.

A network's gradient has most of its strength in the finest detail, where it draws speckle. Made smooth, it is the sum
of its Gaussian-blurred copies, which split it into octaves of frequency; each is divided by its standard deviation, so
that wide structures count as much as fine ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from impasto.export.dream.tiles import Gradient, tiled_gradient

EPSILON = 1e-8

_REACH = 3.0
"""The standard deviations after which a Gaussian is cut off."""


def reaches_of(sigmas: tf.Tensor) -> tf.Tensor:
    """The whole pixels after which each Gaussian is cut off, int32 [k]."""
    return tf.cast(tf.math.ceil(_REACH * sigmas), tf.int32)


def smoothed(gradient: tf.Tensor, sigmas: tf.Tensor, reaches: tf.Tensor) -> tf.Tensor:
    """Return the sum over s of G_s * g / (std(G_s * g) + 1e-8), G_s being a Gaussian of standard deviation s.

    Args:
        gradient: float32 [H, W, 3].
        sigmas: float32 [k], in pixels, each above 0; if there are none, the gradient stays as it is.
        reaches: see `reaches_of`.

    Returns:
        float32 [H, W, 3].
    """

    def body(index: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        copy = blurred(gradient, sigmas[index], reaches[index])
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


def blurred(gradient: tf.Tensor, sigma: tf.Tensor, reach: tf.Tensor) -> tf.Tensor:
    """Return `gradient` [H, W, 3] blurred by a Gaussian that is cut off after `reach`; beyond the picture it is 0.

    Args:
        gradient: float32 [H, W, 3].
        sigma: the standard deviation in pixels, float32 [].
        reach: int32 [], in pixels.
    """
    taps = tf.exp(-0.5 * tf.square(tf.cast(tf.range(-reach, reach + 1), tf.float32) / sigma))
    taps /= tf.reduce_sum(taps)
    down = tf.tile(taps[:, None, None, None], [1, 1, 3, 1])
    across = tf.transpose(down, [1, 0, 2, 3])
    for kernel in (down, across):
        gradient = tf.nn.depthwise_conv2d(gradient[None], kernel, [1, 1, 1, 1], "SAME")[0]
    return gradient


@dataclass(frozen=True)
class Ascent:
    """The parameters of an ascent; all but `sigmas` are tensors [].

    Attributes:
        count: how many steps, int32.
        size: the step's size, float32.
        first: the number of the first step, int32.
        tile: see `tile_size`, int32.
        seed: what the shifts are drawn from, int32.
        sigmas: see `smoothed`, float32 [k].
        reaches: see `reaches_of`; made once, as the processor would wait for the card where it made them at each step.
        shift: how far a picture in one tile is shifted at most, in pixels, int32.
        fade_in: the number of steps over which a step grows to its size, int32; 0 takes the whole size at once.
    """

    count: tf.Tensor
    size: tf.Tensor
    first: tf.Tensor
    tile: tf.Tensor
    seed: tf.Tensor
    sigmas: tf.Tensor
    reaches: tf.Tensor
    shift: tf.Tensor
    fade_in: tf.Tensor


def ascend(state: tf.Tensor, gradient: Gradient, ascent: Ascent) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Repeat `count` times, with g as `smoothed` makes it: x = clip(x + size g / (std(g) + 1e-8), -1, 1).

    No variable changes: all that a step leaves is in the loop's own state, and what is random follows from the seed and
    the step's number, so a job may be cut anywhere.

    Returns:
        The state [H, W, 3], and of the last step the loss [] and std(g) []; zeros if there was none.
    """

    def body(
        done: tf.Tensor, state: tf.Tensor, _loss: tf.Tensor, _scale: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        step = ascent.first + done
        loss, g = tiled_gradient(
            state, gradient, tile=ascent.tile, shift=ascent.shift, seed=ascent.seed, step=step
        )
        g = smoothed(g, ascent.sigmas, ascent.reaches)
        scale = tf.math.reduce_std(g)
        size = _faded_in(ascent.size, step, ascent.fade_in)
        state = tf.clip_by_value(state + size * (g / (scale + EPSILON)), -1.0, 1.0)
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


def _faded_in(size: tf.Tensor, step: tf.Tensor, fade_in: tf.Tensor) -> tf.Tensor:
    """The size of step number `step`: it grows evenly over the first `fade_in` steps."""

    def part() -> tf.Tensor:
        return size * (tf.cast(step + 1, tf.float32) / tf.cast(fade_in, tf.float32))

    faded: tf.Tensor = tf.cond(step + 1 < fade_in, part, lambda: size)
    return faded
