"""The objective of a dream: for each layer, its mean activation or its likeness to a guide."""

from __future__ import annotations

from typing import Final, NamedTuple

import tensorflow as tf

from impasto.export.backbones.gradients import Term
from impasto.export.branches import place_count

# Scores held at once while places are compared with the guide's: 16 MB.
_SCORES: Final = 1 << 22


class Objective(NamedTuple):
    """The objective of a request.

    Attributes:
        weights: float32 [n], one for each candidate layer.
        counts: int32 [n], see `branches.counted`.
        guide: for each candidate layer the guide's activations, float32 [Q, C]; Q is 0 where the weight is zero. Empty
            if there is no guide.
    """

    weights: tf.Tensor
    counts: tf.Tensor
    guide: list[tf.Tensor]


def specs(channels: tuple[int, ...], *, guided: bool) -> Objective:
    """The tf.TensorSpecs of an objective over layers of so many channels."""
    guide = [tf.TensorSpec([None, count], tf.float32) for count in channels] if guided else []
    per_layer = [len(channels)]
    return Objective(tf.TensorSpec(per_layer, tf.float32), tf.TensorSpec(per_layer, tf.int32), guide)


def terms(index: int, objective: Objective) -> tuple[Term]:
    """Return a layer's part of the loss.

    Without a guide it is the weight w times the mean of the activation x over all N places and channels, and its
    derivative is w / N everywhere. With one, each place is multiplied with the guide's feature vector f that has the
    largest dot product with it before the mean is taken. Which one that is counts as given, so the derivative is
    w f / N: the place is drawn towards f.
    """
    weight = objective.weights[index]

    def compute(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        each = weight / (place_count(x) * float(x.shape[-1]))

        if not objective.guide:
            return weight * tf.reduce_mean(x), each
        guide = objective.guide[index]
        best = _best_matches(tf.reshape(x, [-1, x.shape[-1]]), guide)
        matches = tf.reshape(tf.gather(guide, best), tf.shape(x))
        return each * tf.reduce_sum(x * matches), each * matches

    return (Term(objective.counts[index], compute),)


def _best_matches(places: tf.Tensor, guide: tf.Tensor) -> tf.Tensor:
    """For each row of `places` [P, C] the row of `guide` [Q, C] with the largest dot product; int32 [P]."""
    count = tf.shape(places)[0]
    rows = tf.maximum(_SCORES // tf.shape(guide)[0], 1)
    blocks = -(-count // rows)

    def body(block: tf.Tensor, found: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
        scores = tf.matmul(places[block * rows : (block + 1) * rows], guide, transpose_b=True)
        return block + 1, found.write(block, tf.argmax(scores, axis=1, output_type=tf.int32))

    found = tf.TensorArray(tf.int32, size=blocks, infer_shape=False, element_shape=[None])
    _, found = tf.while_loop(
        lambda block, _: block < blocks, body, (tf.constant(0), found), parallel_iterations=1
    )
    return found.concat()
