"""Gradient ascent on a picture."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from impasto.export.dream.tiles import Gradient, tiled_gradient

_EPSILON = 1e-8


@dataclass(frozen=True)
class Ascent:
    """The parameters of an ascent; all are tensors [].

    Attributes:
        count: how many steps, int32.
        size: the step's size, float32.
        first: the number of the first step, int32.
        tile: see `tile_size`, int32.
        seed: what the tiles' shifts are drawn from, int32.
    """

    count: tf.Tensor
    size: tf.Tensor
    first: tf.Tensor
    tile: tf.Tensor
    seed: tf.Tensor


def ascend(state: tf.Tensor, gradient: Gradient, ascent: Ascent) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Repeat `count` times: x = clip(x + size g / (std(g) + 1e-8), -1, 1).

    No variable changes: all that a step leaves is in the loop's own state, so a job may be cut anywhere.

    Returns:
        The state [H, W, 3], and of the last step the loss [] and std(g) []; zeros if there was none.
    """

    def body(
        done: tf.Tensor, state: tf.Tensor, _loss: tf.Tensor, _scale: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        loss, g = tiled_gradient(
            state, gradient, tile=ascent.tile, seed=ascent.seed, step=ascent.first + done
        )
        scale = tf.math.reduce_std(g)
        state = tf.clip_by_value(state + ascent.size * (g / (scale + _EPSILON)), -1.0, 1.0)
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
