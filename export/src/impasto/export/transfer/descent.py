"""The loop of style transfer: a picture changed step by step so that its loss falls.

The average of the pictures on the way has less noise than any of them:
Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging" (1992), with weights that fade:
a_t = d a_(t-1) + (1 - d) x_t from a_0 = 0, divided by 1 - d^t, is the weighted mean of the x so far. What is carried is
that quotient, so that it is a picture at any time:

    a_t = a_(t-1) (1 - r) + x_t r, where r = (1 - d) / (1 - d^t)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import tensorflow as tf

from impasto.export.branches import counted, where_positive
from impasto.export.transfer.adam import Adam, State, rest, update


class Average(NamedTuple):
    """An average on its way.

    Attributes:
        image: the average so far, float32 [H, W, 3].
        count: the pictures in it, float32 [].
    """

    image: tf.Tensor
    count: tf.Tensor


def averaged(average: Average, image: tf.Tensor, decay: tf.Tensor, decay_rest: tf.Tensor) -> Average:
    """The average with one picture more.

    Args:
        average: the average before.
        image: the picture.
        decay: float32 []; at 0 the average is the last picture.
        decay_rest: the `rest` of `decay`.
    """
    count = average.count + 1.0
    share = decay_rest / (1.0 - tf.pow(decay, count))
    return Average(average.image * (1.0 - share) + image * share, count)


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
        adam: the parameters of each step.
        mask: the part of its step that each pixel takes; float32 [H, W, 1] or [1, 1, 1].
        average: the average of the pictures before.
        decay: what the average keeps at each step; float32 [].
    """

    count: tf.Tensor
    done: tf.Tensor
    adam: Adam
    mask: tf.Tensor
    average: Average
    decay: tf.Tensor


def descend(
    state: State, gradient: Callable[[tf.Tensor], tuple[Losses, tf.Tensor]], descent: Descent
) -> tuple[State, Average, Losses]:
    """Make `descent.count` steps of Adam.

    No variable changes: all that a step leaves is in the loop's own state, so a job may be cut anywhere.

    Args:
        state: the picture and its moments.
        gradient: from a picture [H, W, 3] to its losses and the gradient of their sum [H, W, 3].
        descent: its parameters.

    Returns:
        The state, the average, and the losses that the last step saw; zeros if there was none.
    """

    rests = rest(descent.adam.beta_1), rest(descent.adam.beta_2)
    decay_rest, fades = rest(descent.decay), counted(descent.decay)

    # Without a decay the average is the picture, for which a GPU need not start eight kernels at each step.
    def average_with(image: tf.Tensor, average: Average) -> Average:
        found = where_positive(
            fades,
            lambda: averaged(average, image, descent.decay, decay_rest),
            lambda: Average(image, average.count + 1.0),
        )
        return Average(tf.ensure_shape(found.image, [None, None, 3]), found.count)

    # The steps are counted twice, as there is no way from the processor's memory to a card's, nor back, for which
    # neither waits: in int32, which lies in the one, to know the end, and in float32 to compute with.
    def body(
        done: tf.Tensor, number: tf.Tensor, state: State, average: Average, _losses: Losses
    ) -> tuple[tf.Tensor, tf.Tensor, State, Average, Losses]:
        losses, g = gradient(state.image)
        number = number + 1.0
        state = update(state, g, step=number, adam=descent.adam, rests=rests, mask=descent.mask)
        return done + 1, number, state, average_with(state.image, average), losses

    picture = tf.TensorShape([None, None, 3])
    scalar = tf.TensorShape([])
    _, _, state, average, losses = tf.while_loop(
        lambda done, *_: done < descent.count,
        body,
        (
            tf.constant(0),
            tf.cast(descent.done, tf.float32),
            state,
            descent.average,
            Losses(*[tf.constant(0.0)] * 3),
        ),
        shape_invariants=(
            scalar,
            scalar,
            State(picture, picture, picture),
            Average(picture, scalar),
            Losses(scalar, scalar, scalar),
        ),
        parallel_iterations=1,
    )
    return state, average, losses
