"""Objectives: what a dream raises, as a loss and its gradient for each layer's activation."""

from __future__ import annotations

from typing import Final

import tensorflow as tf

# Scores held at once while places are compared with the guide's: 16 MB.
_SCORES: Final = 1 << 22


# One function for every layer, depth and signature, never inlined: a server optimises it once.
@tf.function(
    autograph=False,
    input_signature=[
        tf.TensorSpec([None, None, None, None], tf.float32),
        tf.TensorSpec([None, None], tf.float32),
        tf.TensorSpec([], tf.float32),
    ],
    experimental_attributes={"_noinline": True},
)
def layer_objective(
    activation: tf.Tensor, guide: tf.Tensor, weight: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """What a layer adds to the loss, and the gradient of that by the activation.

    Without a guide it is `weight` times the mean over all places and channels. With one, each place is multiplied with
    the guide's feature vector that has the largest dot product with it before the mean is taken. Which one that is
    counts as given, so the gradient at a place is its feature: the place is drawn towards it.

    Args:
        activation: float32 [1, h, w, C].
        guide: float32 [Q, C], the guide's activations at the same layer; Q is 0 without a guide.
        weight: float32 []; at 0 nothing is computed.

    Returns:
        float32 [] and float32 [1, h, w, C].
    """
    shape = tf.shape(activation)
    each = weight / tf.cast(tf.size(activation), tf.float32)

    def mean() -> tuple[tf.Tensor, tf.Tensor]:
        return weight * tf.reduce_mean(activation), tf.fill(shape, each)

    def fit() -> tuple[tf.Tensor, tf.Tensor]:
        places = tf.reshape(activation, [-1, shape[3]])
        matches = tf.reshape(tf.gather(guide, _best_matches(places, guide)), shape)
        return each * tf.reduce_sum(activation * matches), each * matches

    def nothing() -> tuple[tf.Tensor, tf.Tensor]:
        return tf.constant(0.0), tf.zeros(shape)

    def something() -> tuple[tf.Tensor, tf.Tensor]:
        found: tuple[tf.Tensor, tf.Tensor] = tf.cond(tf.equal(tf.shape(guide)[0], 0), mean, fit)
        return found

    loss, gradient = tf.cond(tf.equal(weight, 0.0), nothing, something)
    return loss, tf.ensure_shape(gradient, [None, None, None, None])


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
