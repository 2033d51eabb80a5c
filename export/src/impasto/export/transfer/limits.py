"""The limits of a request to `transfer`, and the values that the model suggests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from impasto.export import checks
from impasto.export.transfer.adam import Adam, State
from impasto.export.transfer.descent import Average

MAX_WEIGHT: Final = 1e10
MAX_ITERATION: Final = 1_000_000_000
LARGEST_DECAY: Final = 0.999999
LEAST_EPSILON: Final = 1e-12

# Interpolation, and a client's own arithmetic, may leave 0..1 by a rounding error.
_TOLERANCE: Final = 1e-3


def _layers(*names: str) -> Mapping[str, float]:
    return MappingProxyType(dict.fromkeys(names, 1.0))


@dataclass(frozen=True, kw_only=True)
class TransferSuggestions:
    """The values with which VGG19 paints well.

    Attributes:
        style_layers: weights by layer in the style loss; they are taken when a request sends none.
        content_layers: weights by layer in the content loss; they are taken when a request sends none.
        steps: optimisation steps.
        style_weight: the weight of the style loss.
        content_weight: the weight of the content loss.
        total_variation_weight: the weight of the total variation.
        learning_rate: Adam's.
    """

    style_layers: Mapping[str, float] = field(
        default_factory=lambda: _layers(*(f"block{block}_conv1" for block in range(1, 6)))
    )
    content_layers: Mapping[str, float] = field(default_factory=lambda: _layers("block5_conv2"))
    steps: int = 1000
    style_weight: float = 1e-2
    content_weight: float = 1e4
    total_variation_weight: float = 0.0
    learning_rate: float = 0.02


def check_iteration(iteration: tf.Tensor) -> tf.Tensor:
    """The number of steps already done, if it is in range."""
    return checks.within("iteration", iteration, 0, MAX_ITERATION)


def check_adam(learning_rate: tf.Tensor, beta_1: tf.Tensor, beta_2: tf.Tensor, epsilon: tf.Tensor) -> Adam:
    """Adam's parameters, if they are in range."""
    return Adam(
        learning_rate=checks.within("learning_rate", learning_rate, 0, 1),
        beta_1=checks.within("beta_1", beta_1, 0, LARGEST_DECAY),
        beta_2=checks.within("beta_2", beta_2, 0, LARGEST_DECAY),
        epsilon=checks.within("epsilon", epsilon, LEAST_EPSILON, 1),
    )


def check_average(average: tf.Tensor, count: tf.Tensor, image: tf.Tensor) -> Average:
    """The average so far as a picture like `image`; `image` itself where nothing is in it yet."""
    count = checks.within("averaged", count, 0, MAX_ITERATION)
    average = checks.require(
        average,
        tf.equal(tf.size(average), tf.size(image)) | (tf.equal(count, 0) & tf.equal(tf.size(average), 0)),
        "average must hold the numbers of the image that optimize gave, or none with averaged 0; it holds",
        shown=tf.size(average),
    )
    average = checks.numbers("average", average, tf.math.is_finite(average), "finite numbers")
    began = tf.cond(tf.equal(count, 0), lambda: image, lambda: tf.reshape(average, tf.shape(image)))
    return Average(began, tf.cast(count, tf.float32))


def check_decay(decay: tf.Tensor) -> tf.Tensor:
    """The part that the average keeps, if it is in range."""
    return checks.within("average_decay", decay, 0, LARGEST_DECAY)


def check_loss_kind(kind: tf.Tensor) -> tf.Tensor:
    """1 where the losses are scaled ones, else 0; int32 []."""
    return checks.within("loss_kind", kind, 0, 1)


def check_weights(style: tf.Tensor, content: tf.Tensor, variation: tf.Tensor) -> list[tf.Tensor]:
    """The weights of the three losses, if they are in range and not all zero."""
    weights = {"style_weight": style, "content_weight": content, "total_variation_weight": variation}
    checked = [checks.within(name, weight, 0.0, MAX_WEIGHT) for name, weight in weights.items()]
    some = tf.reduce_any([weight > 0.0 for weight in checked])
    message = f"{', '.join(weights)} must not all be zero: there is nothing to lower; they are"
    return [checks.require(weight, some, message) for weight in checked]


def check_layer_weights(name: str, sent: tf.Tensor, own: NDArray[np.float32]) -> tf.Tensor:
    """One weight for each candidate layer; `own` if none were sent."""
    return checks.layer_weights(
        name, sent, own, all_zero="set the weight of the whole loss to zero to leave it out"
    )


def check_describe(size: tf.Tensor, longest_side: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """A size to scale, and the longer side to scale it to."""
    size = checks.require(size, tf.reduce_all(size >= 0), "size must be 0 or more in height and width, not")
    message = "longest_side must be 1 pixel or more, not"
    return size, checks.require(longest_side, longest_side >= 1, message)


def check_image(image: tf.Tensor) -> tf.Tensor:
    """A picture float32 [H, W, 3], if all of it is in 0..1."""
    in_range = (image >= -_TOLERANCE) & (image <= 1.0 + _TOLERANCE)
    return checks.numbers("image", image, in_range, "numbers in 0..1, as the signature open gives it")


def check_state(image: tf.Tensor, m: tf.Tensor, v: tf.Tensor, limits: checks.Limits) -> State:
    """A picture of a size that the network takes, and its moments."""
    size = checks.picture_size("image", tf.shape(image)[:2], limits, least=limits.minimum_side)
    with tf.control_dependencies([size]):
        image = check_image(image)
    return State(
        image,
        _check_moment("m", m, image, tf.math.is_finite(m), "finite numbers"),
        _check_moment("v", v, image, tf.math.is_finite(v) & (v >= 0.0), "finite numbers of 0 or more"),
    )


def _check_moment(name: str, moment: tf.Tensor, image: tf.Tensor, good: tf.Tensor, wanted: str) -> tf.Tensor:
    shape = tf.shape(moment)
    same = tf.reduce_all(tf.equal(shape, tf.shape(image)))
    message = f"{name} must have the shape of image (zeros at the start), not"
    moment = checks.require(moment, same, message, shown=shape)
    with tf.control_dependencies([moment]):
        return checks.numbers(name, moment, good, f"{wanted} (zeros at the start)")


def check_targets(name: str, targets: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """A flat vector, if it holds `count` finite numbers."""
    targets = checks.require(
        targets,
        tf.equal(tf.size(targets), count),
        f"{name} must be what open gave for a picture of this size and these layer weights; "
        "it should hold, and it holds",
        shown=tf.stack([count, tf.size(targets)]),
    )
    return checks.numbers(name, targets, tf.math.is_finite(targets), "finite numbers, as open gives them")


def check_mask(mask: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
    """One number in 0..1 for each pixel of `image`, or none, as [H, W, 1] or [1, 1, 1]."""
    size = tf.shape(image)[:2]
    empty = tf.equal(tf.size(mask), 0)
    mask = checks.require(
        mask,
        empty | tf.equal(tf.size(mask), tf.reduce_prod(size)),
        "mask must hold one number for each pixel of image, row by row, or none; image's height and width, and how "
        "many it holds, are",
        shown=tf.concat([size, tf.size(mask)[None]], axis=0),
    )
    mask = checks.numbers("mask", mask, (mask >= 0.0) & (mask <= 1.0), "numbers in 0..1")
    return tf.cond(
        empty, lambda: tf.ones([1, 1, 1]), lambda: tf.reshape(mask, tf.concat([size, [1]], axis=0))
    )


def check_result(state: State) -> State:
    """The state after the steps, if all of it is finite: weights may be in range and yet too large together."""
    finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(part)) for part in state])
    message = (
        "the losses left the range of float32: lower style_weight, content_weight or total_variation_weight"
    )
    return State(*(checks.require(part, finite, message, shown=tf.constant("")) for part in state))
