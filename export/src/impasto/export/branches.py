"""Branches and counts that a GPU does not wait for.

TensorFlow chooses a branch on the processor. What a card computes must come to it first, so the processor waits until
the card has done all that it was given, and the card then waits for what comes next. Only whole numbers of 32 bits,
and what is computed from these alone, TensorFlow keeps in the processor's memory, also where a GPU runs the graph. A
truth value made from them is there too, but `tf.cond` sends it to the card, and all that follows waits for that. So a
branch within a step is chosen by an int32, which `tf.switch_case` sends nowhere, or by `routed`. In a trace of dream
on an H100 there were 22 copies of a few bytes in each step, about as many as it had `tf.cond`s.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def counted(weights: tf.Tensor) -> tf.Tensor:
    """1 for each weight that is not zero, 0 for the others; int32 of the weights' shape.

    Made outside of a loop, it is copied to the processor's memory once.
    """
    return tf.cast(tf.not_equal(weights, 0.0), tf.int32)


def where_positive(number: tf.Tensor, something: Callable[[], Any], nothing: Callable[[], Any]) -> Any:
    """The result of `something` where `number`, int32 [], is above 0, of `nothing` elsewhere, decided at run time."""
    return tf.switch_case(tf.clip_by_value(number, 0, 1), [nothing, something])


def routed(tensor: tf.Tensor, onward: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return `tensor` twice: what follows from the first is computed only where `onward` is false, else the second's.

    This is what a server makes of `tf.switch_case`, which however hands on every tensor that a branch needs, in the
    layout that the graph was written in. Here only one is handed on, and TensorFlow's layout optimiser moves its
    transpositions into the branch, or does without them.

    Args:
        tensor: any tensor.
        onward: bool [], of a comparison of whole numbers: see this module.
    """
    output_false, output_true = tf.raw_ops.Switch(data=tensor, pred=onward)
    return output_false, output_true


def joined(*results: tf.Tensor) -> tf.Tensor:
    """The one of these that was computed: all but one follow from tensors that `routed` gave, and are not computed."""
    return tf.raw_ops.Merge(inputs=results).output


def computed_where(
    onward: tf.Tensor, x: tf.Tensor, compute: Callable[[tf.Tensor], tf.Tensor], otherwise: tf.Tensor
) -> tf.Tensor:
    """Return `compute(x)`, which is computed only where `onward` is true, see `routed`; else `otherwise`."""
    return joined(routed(otherwise, onward)[0], compute(routed(x, onward)[1]))


def place_count(x: tf.Tensor) -> tf.Tensor:
    """The count of places of an activation [1, h, w, C] or of pixels of a picture [H, W, 3]; float32 [].

    The count is made where the numbers lie. The processor knows it as well, but to bring it over, it would wait.
    """
    return tf.reduce_sum(tf.ones(tf.shape(x)[-3:-1]))
