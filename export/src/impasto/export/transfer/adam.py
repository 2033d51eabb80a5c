"""Adam as a pure function: Kingma and Ba, "Adam: A Method for Stochastic Optimization" (2015), as Keras computes it.

Keras corrects the step for the moments' bias instead of the moments, so epsilon is the paper's "epsilon hat".
"""

from __future__ import annotations

from typing import Final, NamedTuple

import tensorflow as tf

# The usual recipe's for pictures. Epsilon is large beside most gradients' size at the start, so first steps are gentle.
_BETA_1: Final = 0.99
_BETA_2: Final = 0.999
_EPSILON: Final = 0.1


class State(NamedTuple):
    """A picture and its moments, all float32 [H, W, 3]: the picture in 0..1, the means of gradient and its square."""

    image: tf.Tensor
    m: tf.Tensor
    v: tf.Tensor


def start(image: tf.Tensor) -> State:
    """A picture that has made no step."""
    return State(image, tf.zeros_like(image), tf.zeros_like(image))


def update(
    state: State, gradient: tf.Tensor, *, step: tf.Tensor, learning_rate: tf.Tensor, mask: tf.Tensor
) -> State:
    """One step down the gradient, cut off at 0 and 1.

    Args:
        state: the state before the step.
        gradient: the gradient of the loss, [H, W, 3].
        step: the number of this step, int32 [], from 1.
        learning_rate: float32 [].
        mask: the part of its step that each pixel takes; [H, W, 1] or [1, 1, 1].
    """
    number = tf.cast(step, tf.float32)
    rate = learning_rate * tf.sqrt(1.0 - tf.pow(_BETA_2, number)) / (1.0 - tf.pow(_BETA_1, number))
    m = state.m + (gradient - state.m) * (1.0 - _BETA_1)
    v = state.v + (tf.square(gradient) - state.v) * (1.0 - _BETA_2)
    moved = state.image - mask * (m * rate / (tf.sqrt(v) + _EPSILON))
    return State(tf.clip_by_value(moved, 0.0, 1.0), m, v)
