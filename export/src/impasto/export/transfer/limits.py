"""What a request may ask for. The checks are part of the graph, so they hold for every client.

A check is an Assert that the checked value depends on, so nothing downstream runs before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from impasto.export.transfer.adam import State
from impasto.export.transfer.network import LAYERS, MINIMUM_SIDE

MAX_WEIGHT: Final = 1e10
MAX_LAYER_WEIGHT: Final = 1e6
MAX_LEARNING_RATE: Final = 1.0
MAX_ITERATION: Final = 1_000_000_000

# Interpolation, and other arithmetic of a client's own, may leave 0..1 by a rounding error.
_TOLERANCE: Final = 1e-3


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What depends on the server's memory.

    Attributes:
        maximum_steps: most steps a call.
        maximum_pixels: most pixels of a picture that goes through the network, which needs about 2 GB of memory for
            each million of them, and of a result.
    """

    maximum_steps: int = 2_000
    maximum_pixels: int = 1 << 22


def check_steps(steps: tf.Tensor, limits: Limits) -> tf.Tensor:
    """The value itself, if it is in range; so everywhere below."""
    most = limits.maximum_steps
    return _require(steps, (steps >= 0) & (steps <= most), f"steps must be 0 to {most}, not")


def check_iteration(iteration: tf.Tensor) -> tf.Tensor:
    """Of steps already done."""
    in_range = (iteration >= 0) & (iteration <= MAX_ITERATION)
    return _require(iteration, in_range, f"iteration must be 0 to {MAX_ITERATION}, not")


def check_learning_rate(rate: tf.Tensor) -> tf.Tensor:
    """Of Adam."""
    in_range = (rate >= 0.0) & (rate <= MAX_LEARNING_RATE)  # false for NaN as well
    return _require(rate, in_range, f"learning_rate must be 0 to {MAX_LEARNING_RATE:g}, not")


def check_weights(style: tf.Tensor, content: tf.Tensor, variation: tf.Tensor) -> list[tf.Tensor]:
    """Of the three losses."""
    weights = {"style_weight": style, "content_weight": content, "total_variation_weight": variation}
    checked = [
        _require(weight, (weight >= 0.0) & (weight <= MAX_WEIGHT), f"{name} must be 0 to {MAX_WEIGHT:g}, not")
        for name, weight in weights.items()
    ]
    some = tf.reduce_any([weight > 0.0 for weight in checked])
    message = f"{', '.join(weights)} must not all be zero: there is nothing to lower; they are"
    return [_require(weight, some, message) for weight in checked]


def check_layer_weights(name: str, sent: tf.Tensor, own: NDArray[np.float32]) -> tf.Tensor:
    """`sent`: one number for each candidate layer, in range, not all zero; or `own` where it is empty."""
    empty = tf.equal(tf.size(sent), 0)
    # Before the choice: TensorFlow's graph optimiser takes the size of what the choice gives from `own` alone.
    sent = _require(
        sent,
        empty | tf.equal(tf.size(sent), len(LAYERS)),
        f"{name} must hold {len(LAYERS)} numbers, one for each candidate layer (see the signature describe), or none; "
        "it holds",
        shown=tf.size(sent),
    )
    weights = tf.ensure_shape(tf.cond(empty, lambda: tf.constant(own), lambda: sent), [len(LAYERS)])
    weights = _require(
        weights,
        tf.reduce_all((weights >= 0.0) & (weights <= MAX_LAYER_WEIGHT)),
        f"{name} must be 0 to {MAX_LAYER_WEIGHT:g}, not",
    )
    return _require(
        weights,
        tf.reduce_any(weights > 0.0),
        f"{name} must not be all zero (set the loss's own weight to zero to leave it out); it is",
    )


def check_picture(name: str, picture: tf.Tensor) -> tf.Tensor:
    """A picture [H, W, 3] with a pixel."""
    shape = tf.shape(picture)
    return _require(
        picture, tf.size(picture) > 0, f"{name} must have at least one pixel; its shape is", shown=shape
    )


def check_painted_size(name: str, size: tf.Tensor, limits: Limits) -> tf.Tensor:
    """Height and width, int32 [2], of a picture that goes through the network."""
    return _require(
        size,
        tf.reduce_all(size >= MINIMUM_SIDE) & _few_pixels(size, limits),
        f"{name}: height and width must be {MINIMUM_SIDE} pixels or more, and their product at most "
        f"{limits.maximum_pixels}; they are",
    )


def check_result_size(size: tf.Tensor, limits: Limits) -> tf.Tensor:
    """Height and width, int32 [2], of a picture that only goes out."""
    return _require(
        size,
        tf.reduce_all(size >= 1) & _few_pixels(size, limits),
        f"size: height and width must be 1 pixel or more, and their product at most {limits.maximum_pixels}; they are",
    )


def check_describe(size: tf.Tensor, longest_side: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """A size to scale, and the longer side to scale it to."""
    size = _require(size, tf.reduce_all(size >= 0), "size must be 0 or more in height and width, not")
    longest_side = _require(longest_side, longest_side >= 1, "longest_side must be 1 pixel or more, not")
    return size, longest_side


def check_image(image: tf.Tensor) -> tf.Tensor:
    """A picture float32 [H, W, 3] in 0..1."""
    return _check_numbers(
        "image",
        image,
        (image >= -_TOLERANCE) & (image <= 1.0 + _TOLERANCE),
        "numbers in 0..1, as the signature open gives it",
    )


def check_state(image: tf.Tensor, m: tf.Tensor, v: tf.Tensor, limits: Limits) -> State:
    """A picture of a size that the network takes, and its moments."""
    size = check_painted_size("image", tf.shape(image)[:2], limits)
    with tf.control_dependencies([size]):
        image = check_image(image)
    moments = {"m": (m, tf.math.is_finite(m)), "v": (v, tf.math.is_finite(v) & (v >= 0.0))}
    ranges = {"m": "finite numbers", "v": "finite numbers of 0 or more"}
    checked = []
    for name, (moment, good) in moments.items():
        same = tf.reduce_all(tf.equal(tf.shape(moment), tf.shape(image)))
        moment = _require(
            moment,
            same,
            f"{name} must have the shape of image (zeros at the start), not",
            shown=tf.shape(moment),
        )
        with tf.control_dependencies([moment]):
            checked.append(_check_numbers(name, moment, good, f"{ranges[name]} (zeros at the start)"))
    return State(image, *checked)


def check_targets(name: str, targets: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """A flat vector of `count` finite numbers."""
    targets = _require(
        targets,
        tf.equal(tf.size(targets), count),
        f"{name} must be what open gave for a picture of this size and these layer weights; "
        "it should hold, and it holds",
        shown=tf.stack([count, tf.size(targets)]),
    )
    return _check_numbers(name, targets, tf.math.is_finite(targets), "finite numbers, as open gives them")


def check_mask(mask: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
    """One number in 0..1 for each pixel of `image`, or none, as [H, W, 1] or [1, 1, 1]."""
    size = tf.shape(image)[:2]
    empty = tf.equal(tf.size(mask), 0)
    mask = _require(
        mask,
        empty | tf.equal(tf.size(mask), tf.reduce_prod(size)),
        "mask must hold one number for each pixel of image, row by row, or none; image's height and width, and how "
        "many it holds, are",
        shown=tf.concat([size, tf.size(mask)[None]], axis=0),
    )
    mask = _check_numbers("mask", mask, (mask >= 0.0) & (mask <= 1.0), "numbers in 0..1")
    return tf.cond(
        empty, lambda: tf.ones([1, 1, 1]), lambda: tf.reshape(mask, tf.concat([size, [1]], axis=0))
    )


def check_result(state: State) -> State:
    """The state after the steps, if all of it is finite: weights may be in range and yet too large together."""
    finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(part)) for part in state])
    message = (
        "the losses left the range of float32: lower style_weight, content_weight or total_variation_weight"
    )
    return State(*(_require(part, finite, message, shown=tf.constant("")) for part in state))


def _few_pixels(size: tf.Tensor, limits: Limits) -> tf.Tensor:
    return tf.reduce_prod(tf.cast(size, tf.int64)) <= limits.maximum_pixels


def _check_numbers(name: str, value: tf.Tensor, good: tf.Tensor, wanted: str) -> tf.Tensor:
    bad = tf.math.count_nonzero(tf.logical_not(good))
    return _require(value, tf.equal(bad, 0), f"{name} must be {wanted}; numbers that are not:", shown=bad)


def _require(
    value: tf.Tensor, condition: tf.Tensor, message: str, *, shown: tf.Tensor | None = None
) -> tf.Tensor:
    """`value`, once `condition` holds; else the run fails with INVALID_ARGUMENT, `message` and `shown`."""
    data = [message, value if shown is None else shown]
    with tf.control_dependencies([tf.debugging.Assert(condition, data, summarize=2 * len(LAYERS))]):
        return tf.identity(value)
