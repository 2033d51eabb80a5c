"""Checks inside a graph: what a request may ask for holds for every client.

A check is an Assert that the checked value depends on, so nothing downstream runs before it. That matters: a picture
smaller than InceptionV3's minimum does not fail in the convolutions, it kills the server's process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

MAX_LAYER_WEIGHT: Final = 1e6

_SHOWN: Final = 64
"""Numbers of a tensor that a message shows, at most."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits that depend on the network or on the server's memory.

    Attributes:
        minimum_side: least height and width in pixels of a picture that goes through the network.
        maximum_steps: most steps a call.
        maximum_pixels: most pixels of a picture that is optimised, and of a result.
    """

    minimum_side: int
    maximum_steps: int = 2_000
    maximum_pixels: int = 1 << 22


def require(
    value: tf.Tensor, condition: tf.Tensor, message: str, *, shown: tf.Tensor | None = None
) -> tf.Tensor:
    """`value`, once `condition` holds; else the run fails with INVALID_ARGUMENT, `message` and `shown`."""
    data = [message, value if shown is None else shown]
    with tf.control_dependencies([tf.debugging.Assert(condition, data, summarize=_SHOWN)]):
        return tf.identity(value)


def within(name: str, value: tf.Tensor, least: float, most: float) -> tf.Tensor:
    """`value`, if all of it is in `least` to `most`."""
    in_range = tf.reduce_all((value >= least) & (value <= most))  # false for NaN as well
    return require(value, in_range, f"{name} must be {_number(least)} to {_number(most)}, not")


def steps_within(steps: tf.Tensor, limits: Limits) -> tf.Tensor:
    """A number of steps, if a call may have as many."""
    return within("steps", steps, 0, limits.maximum_steps)


def layer_weights(
    name: str, sent: tf.Tensor, own: NDArray[np.float32], *, least: float = 0.0, all_zero: str
) -> tf.Tensor:
    """One weight for each candidate layer, in range and not all zero.

    Args:
        name: the input's.
        sent: float32 [n], or [0] to take `own`.
        own: the model's, [n].
        least: the least that a weight may be.
        all_zero: why they must not all be zero, or what to do instead.
    """
    count = len(own)
    sent = require(
        sent,
        tf.equal(tf.size(sent), count) | tf.equal(tf.size(sent), 0),
        f"{name} must hold {count} numbers, one for each candidate layer (see the signature describe), or none; "
        "it holds",
        shown=tf.size(sent),
    )
    # No tf.cond: from its branch of known shape the optimiser concludes that the length was right, and drops the check.
    weights = tf.concat([sent, tf.constant(own)[: tf.where(tf.size(sent) > 0, 0, count)]], axis=0)
    weights = within(name, weights, least, MAX_LAYER_WEIGHT)
    some = tf.reduce_any(tf.not_equal(weights, 0.0))
    return tf.ensure_shape(require(weights, some, f"{name} must not be all zero: {all_zero}; it is"), [count])


def picture(name: str, image: tf.Tensor) -> tf.Tensor:
    """A picture [H, W, 3], if it has a pixel."""
    shape = tf.shape(image)
    return require(
        image, tf.size(image) > 0, f"{name} must have at least one pixel; its shape is", shown=shape
    )


def picture_size(name: str, size: tf.Tensor, limits: Limits, *, least: int = 1) -> tf.Tensor:
    """Height and width, int32 [2], if a picture may have them."""
    pixels = tf.reduce_prod(tf.cast(size, tf.int64))
    return require(
        size,
        tf.reduce_all(size >= least) & (pixels <= limits.maximum_pixels),
        f"{name}: height and width must be {least} {'pixel' if least == 1 else 'pixels'} or more, and their product "
        f"at most {limits.maximum_pixels}; they are",
    )


def numbers(name: str, value: tf.Tensor, good: tf.Tensor, wanted: str) -> tf.Tensor:
    """`value`, if each of its numbers is `good`."""
    # Asked of what is good: "not (x <= y)" is optimised into "x > y", which lets NaN through. Counted only for the
    # message, as what is counted takes twice the memory of the value.
    bad = tf.cond(
        tf.reduce_all(good),
        lambda: tf.constant(0, tf.int64),
        lambda: tf.size(value, tf.int64) - tf.math.count_nonzero(good),
    )
    return require(value, tf.equal(bad, 0), f"{name} must be {wanted}; numbers that are not:", shown=bad)


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"
