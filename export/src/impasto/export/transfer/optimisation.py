"""The loop: a picture changed step by step so that its loss falls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from impasto.export.transfer.adam import State, update
from impasto.export.transfer.gradients import Losses

Gradient = Callable[[tf.Tensor], tuple[Losses, tf.Tensor]]
"""The losses of a picture [H, W, 3] and their gradient."""


@dataclass(frozen=True, kw_only=True)
class Steps:
    """How to optimise.

    Attributes:
        count: how many steps, int32 [].
        done: how many there were before, int32 [].
        learning_rate: float32 [].
        mask: the part of its step that each pixel takes; float32 [H, W, 1] or [1, 1, 1].
    """

    count: tf.Tensor
    done: tf.Tensor
    learning_rate: tf.Tensor
    mask: tf.Tensor


def optimise(state: State, gradient: Gradient, steps: Steps) -> tuple[State, Losses]:
    """`count` steps of Adam.

    No variable changes: all that a step leaves is in the loop's own state, so a job may be cut anywhere.

    Returns:
        The state, and the losses that the last step saw; zeros if there was none.
    """

    def body(number: tf.Tensor, state: State, _losses: Losses) -> tuple[tf.Tensor, State, Losses]:
        losses, g = gradient(state.image)
        number = number + 1
        state = update(state, g, step=number, learning_rate=steps.learning_rate, mask=steps.mask)
        return number, state, losses

    picture = tf.TensorShape([None, None, 3])
    scalar = tf.TensorShape([])
    end = steps.done + steps.count
    _, state, losses = tf.while_loop(
        lambda number, *_: number < end,
        body,
        (steps.done, state, Losses(*[tf.constant(0.0)] * 3)),
        shape_invariants=(scalar, State(picture, picture, picture), Losses(scalar, scalar, scalar)),
        parallel_iterations=1,
    )
    return state, losses
