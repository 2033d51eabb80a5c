"""The objective of a run: weights, targets, and the place of each layer's targets in the vectors that carry them."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import tensorflow as tf

from impasto.export.backbones import Backbone
from impasto.export.backbones.gradients import Term
from impasto.export.backbones.vgg19 import block_of
from impasto.export.transfer.losses import content_loss, style_loss


class Objective(NamedTuple):
    """The loss of a picture, but for the picture and its total variation.

    Attributes:
        style: float32 [n], the weight of each layer's style loss in the sum.
        content: float32 [n], the weight of each layer's content loss in the sum.
        grams: float32 [g], the Gram matrices of the layers of non-zero style weight, one after the other.
        features: float32 [f], the activations of the layers of non-zero content weight, one after the other.
        gram_starts: int32 [n], where in `grams` each layer's begins.
        feature_starts: int32 [n], where in `features` each layer's begins.
        style_counts: int32 [n], see `branches.counted`.
        content_counts: int32 [n], likewise.
        scaled: int32 [], 1 where the losses are scaled ones, else 0: see `losses`.
    """

    style: tf.Tensor
    content: tf.Tensor
    grams: tf.Tensor
    features: tf.Tensor
    gram_starts: tf.Tensor
    feature_starts: tf.Tensor
    style_counts: tf.Tensor
    content_counts: tf.Tensor
    scaled: tf.Tensor

    @staticmethod
    def specs(layer_count: int) -> Objective:
        """The fields' tf.TensorSpecs for a network of so many candidate layers."""
        per_layer, free = [layer_count], [None]
        return Objective(
            style=tf.TensorSpec(per_layer),
            content=tf.TensorSpec(per_layer),
            grams=tf.TensorSpec(free),
            features=tf.TensorSpec(free),
            gram_starts=tf.TensorSpec(per_layer, tf.int32),
            feature_starts=tf.TensorSpec(per_layer, tf.int32),
            style_counts=tf.TensorSpec(per_layer, tf.int32),
            content_counts=tf.TensorSpec(per_layer, tf.int32),
            scaled=tf.TensorSpec([], tf.int32),
        )


def terms(index: int, objective: Objective) -> tuple[Term, Term]:
    """The style loss and the content loss of a layer."""
    style = style_loss(objective.style[index], partial(_gram, index, objective), objective.scaled)
    content = content_loss(objective.content[index], partial(_feature, index, objective), objective.scaled)
    return Term(objective.style_counts[index], style), Term(objective.content_counts[index], content)


def _gram(index: int, objective: Objective, x: tf.Tensor) -> tf.Tensor:
    channels = x.shape[-1]
    flat = tf.slice(objective.grams, objective.gram_starts[index, None], [channels * channels])
    return tf.reshape(flat, [channels, channels])


def _feature(index: int, objective: Objective, x: tf.Tensor) -> tf.Tensor:
    flat = tf.slice(objective.features, objective.feature_starts[index, None], tf.size(x)[None])
    return tf.reshape(flat, tf.shape(x))


def gram_sizes(backbone: Backbone) -> tf.Tensor:
    """int32 [n]: the count of numbers in each layer's Gram matrix."""
    return tf.constant([count * count for count in backbone.channels])


def feature_sizes(backbone: Backbone, sides: tf.Tensor) -> tf.Tensor:
    """int32 [n]: the count of numbers in each layer's activation of a picture of height and width `sides` [2]."""
    # A pooling that drops what is left over when it halves is before each block but the first.
    scales = tf.constant([2 ** (block_of(name) - 1) for name in backbone.architecture.layers])
    return tf.reduce_prod(sides[None, :] // scales[:, None], axis=1) * tf.constant(backbone.channels)


def total(sizes: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """The count of numbers in all layers of non-zero weight together, int32 []."""
    return tf.reduce_sum(_wanted(sizes, weights))


def starts(sizes: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """The place where each layer begins when only those of non-zero weight are there, int32 [n]."""
    return tf.cumsum(_wanted(sizes, weights), exclusive=True)


def shares(weights: tf.Tensor) -> tf.Tensor:
    """The weights as parts of their sum."""
    return weights / tf.reduce_sum(weights)


def _wanted(sizes: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    return tf.where(tf.not_equal(weights, 0.0), sizes, 0)
