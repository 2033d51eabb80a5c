"""The loop of style transfer: a picture changed step by step so that its loss falls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import tensorflow as tf

from impasto.export.transfer.adam import State, update


class Losses(NamedTuple):
    """The parts of the loss, float32 [], each times its weight."""

    style: tf.Tensor
    content: tf.Tensor
    total_variation: tf.Tensor


@dataclass(frozen=True, kw_only=True)
class Descent:
    """The parameters of a descent.

    Attributes:
        count: how many steps, int32 [].
        done: how many steps there were before, int32 [].
        learning_rate: float32 [].
        mask: the part of its step that each pixel takes; float32 [H, W, 1] or [1, 1, 1].
    """

    count: tf.Tensor
    done: tf.Tensor
    learning_rate: tf.Tensor
    mask: tf.Tensor


def descend(
    state: State, gradient: Callable[[tf.Tensor], tuple[Losses, tf.Tensor]], descent: Descent
) -> tuple[State, Losses]:
    """Make `descent.count` steps of Adam.

    No variable changes: all that a step leaves is in the loop's own state, so a job may be cut anywhere.

    Args:
        state: the picture and its moments.
        gradient: from a picture [H, W, 3] to its losses and the gradient of their sum [H, W, 3].
        descent: its parameters.

    Returns:
        The state, and the losses that the last step saw; zeros if there was none.
    """

    def body(number: tf.Tensor, state: State, _losses: Losses) -> tuple[tf.Tensor, State, Losses]:
        losses, g = gradient(state.image)
        number = number + 1
        state = update(state, g, step=number, learning_rate=descent.learning_rate, mask=descent.mask)
        return number, state, losses

    picture = tf.TensorShape([None, None, 3])
    scalar = tf.TensorShape([])
    end = descent.done + descent.count
    _, state, losses = tf.while_loop(
        lambda number, *_: number < end,
        body,
        (descent.done, state, Losses(*[tf.constant(0.0)] * 3)),
        shape_invariants=(scalar, State(picture, picture, picture), Losses(scalar, scalar, scalar)),
        parallel_iterations=1,
    )
    return state, losses
