"""Adam as a pure function: Kingma and Ba, "Adam: A Method for Stochastic Optimization" (2015), as Keras computes it.

Keras corrects the step for the moments' bias instead of the moments, so epsilon is the paper's "epsilon hat".
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

# Adam's betas are of decimals: 1 - beta is rounded once, as where a recipe writes both down.
_DECIMALS = 1e6


class State(NamedTuple):
    """A picture and its moments, all float32 [H, W, 3]: the picture in 0..1, the means of gradient and its square."""

    image: tf.Tensor
    m: tf.Tensor
    v: tf.Tensor


class Adam(NamedTuple):
    """Adam's parameters, each float32 [].

    Attributes:
        learning_rate: about how far a step moves a pixel.
        beta_1: what the mean of the gradient keeps at each step.
        beta_2: what the mean of its square keeps.
        epsilon: added to the root of that mean. Where it is large beside the gradients, steps are gentle.
    """

    learning_rate: tf.Tensor
    beta_1: tf.Tensor
    beta_2: tf.Tensor
    epsilon: tf.Tensor


USUAL = {"beta_1": 0.99, "beta_2": 0.999, "epsilon": 0.1}
"""The usual recipe's parameters."""


def start(image: tf.Tensor) -> State:
    """A picture that has made no step."""
    return State(image, tf.zeros_like(image), tf.zeros_like(image))


def update(
    state: State,
    gradient: tf.Tensor,
    *,
    step: tf.Tensor,
    adam: Adam,
    rests: tuple[tf.Tensor, tf.Tensor],
    mask: tf.Tensor,
) -> State:
    """One step down the gradient, cut off at 0 and 1.

    Args:
        state: the state before the step.
        gradient: the gradient of the loss, [H, W, 3].
        step: the number of this step, float32 [], from 1.
        adam: the parameters.
        rests: the `rest` of beta_1 and of beta_2. Of many steps it is made once: a GPU starts 20 kernels for it.
        mask: the part of its step that each pixel takes; [H, W, 1] or [1, 1, 1].
    """
    rate = adam.learning_rate * tf.sqrt(1.0 - tf.pow(adam.beta_2, step)) / (1.0 - tf.pow(adam.beta_1, step))
    m = state.m + (gradient - state.m) * rests[0]
    v = state.v + (tf.square(gradient) - state.v) * rests[1]
    moved = state.image - mask * (m * rate / (tf.sqrt(v) + adam.epsilon))
    return State(tf.clip_by_value(moved, 0.0, 1.0), m, v)


def rest(beta: tf.Tensor) -> tf.Tensor:
    """1 - beta of a beta of six decimals, rounded to float32 once."""
    exact = tf.round(tf.cast(beta, tf.float64) * _DECIMALS) / _DECIMALS
    return tf.cast(1.0 - exact, tf.float32)
