"""What a run lowers: weights, targets, and where each layer's targets lie in the flat vectors that carry them."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from impasto.export.transfer.network import BLOCKS, LAYERS


class Objective(NamedTuple):
    """The loss of a picture, but for the picture.

    Attributes:
        style: float32 [n], for each layer what its style loss counts in the sum.
        content: the same for content.
        total_variation: float32 [], what the total variation counts.
        grams: float32 [g], the layers' Gram matrices, one after the other.
        features: float32 [f], the layers' activations, one after the other.
        gram_starts: int32 [n], where in `grams` each layer's begins.
        feature_starts: the same in `features`.
    """

    style: tf.Tensor
    content: tf.Tensor
    total_variation: tf.Tensor
    grams: tf.Tensor
    features: tf.Tensor
    gram_starts: tf.Tensor
    feature_starts: tf.Tensor

    def gram(self, index: int, channels: int) -> tf.Tensor:
        """A layer's target, [C, C]; only where its style weight is not zero."""
        flat = tf.slice(self.grams, self.gram_starts[index, None], [channels * channels])
        return tf.reshape(flat, [channels, channels])

    def feature(self, index: int, size: tf.Tensor) -> tf.Tensor:
        """A layer's target, flat; only where its content weight is not zero."""
        return tf.slice(self.features, self.feature_starts[index, None], size[None])

    @staticmethod
    def specs() -> Objective:
        """The fields' tf.TensorSpecs."""
        per_layer = [len(LAYERS)]
        return Objective(
            style=tf.TensorSpec(per_layer),
            content=tf.TensorSpec(per_layer),
            total_variation=tf.TensorSpec([]),
            grams=tf.TensorSpec([None]),
            features=tf.TensorSpec([None]),
            gram_starts=tf.TensorSpec(per_layer, tf.int32),
            feature_starts=tf.TensorSpec(per_layer, tf.int32),
        )


def gram_sizes(channels: tuple[int, ...]) -> tf.Tensor:
    """int32 [n]: how many numbers each layer's Gram matrix has."""
    return tf.constant([count * count for count in channels])


def feature_sizes(channels: tuple[int, ...], sides: tf.Tensor) -> tf.Tensor:
    """int32 [n]: how many numbers each layer's activation of a picture has, whose height and width are `sides` [2]."""
    # A pooling drops what is left over when it halves.
    scales = tf.constant([[2 ** (block - 1)] for block in BLOCKS])
    return tf.reduce_prod(sides[None, :] // scales, axis=1) * tf.constant(channels)


def total(sizes: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """How many numbers the layers of non-zero weight have together, int32 []."""
    return tf.reduce_sum(_wanted(sizes, weights))


def starts(sizes: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Where each layer begins when only those of non-zero weight are there, int32 [n]."""
    return tf.cumsum(_wanted(sizes, weights), exclusive=True)


def deepest(weights: tf.Tensor) -> tf.Tensor:
    """The index of the deepest layer of non-zero weight, int32 []; 0 if there is none."""
    return tf.reduce_max(tf.where(tf.not_equal(weights, 0.0), tf.range(len(LAYERS)), 0))


def shares(weights: tf.Tensor) -> tf.Tensor:
    """The weights as parts of their sum."""
    return weights / tf.reduce_sum(weights)


def _wanted(sizes: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    return tf.where(tf.not_equal(weights, 0.0), sizes, 0)
