"""What a request may ask for. The checks are part of the graph, so they hold for every client.

A check is an Assert that the checked value depends on, so nothing downstream runs before it. That matters: a picture
smaller than InceptionV3's minimum does not fail in the convolutions, it kills the server's process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import tensorflow as tf

MAX_OCTAVES: Final = 32
MIN_OCTAVE_SCALE: Final = 0.1
MAX_OCTAVE_SCALE: Final = 10.0
MAX_STEP_SIZE: Final = 1.0
MAX_LAYER_WEIGHT: Final = 1e6
MAX_FIRST_STEP: Final = 1_000_000_000
MAX_GUIDE_SIDE: Final = 512
"""Each place of a picture's layer is compared with each place of the guide's."""

# Bilinear interpolation of values within -1..1 may leave it by a rounding error.
_LARGEST_PIXEL: Final = 1.001


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What depends on the network or on the server's memory.

    Attributes:
        minimum_side: least height and width of an octave, in pixels.
        maximum_steps: most steps a call (and, in serving_default, an octave).
        maximum_pixels: most pixels of an octave or of a result.
        maximum_tile_pixels: most pixels that gradients are taken of at once: a tile, or an octave without tiles. VGG19
            needs about 2.5 GB of memory for each million of them, InceptionV3 down to mixed5 0.6 GB.
    """

    minimum_side: int
    maximum_steps: int = 2_000
    maximum_pixels: int = 1 << 25
    maximum_tile_pixels: int = 1 << 22


def check_settings(
    steps: tf.Tensor, step_size: tf.Tensor, tile: tf.Tensor, limits: Limits
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The values themselves, if they are in range."""
    steps = _require(
        steps,
        (steps >= 0) & (steps <= limits.maximum_steps),
        f"steps must be 0 to {limits.maximum_steps}, not",
    )
    step_size = _require(
        step_size,
        (step_size >= 0.0) & (step_size <= MAX_STEP_SIZE),  # false for NaN as well
        f"step_size must be 0 to {MAX_STEP_SIZE:g}, not",
    )
    tile = _require(
        tile,
        tf.equal(tile, 0) | (tile >= 2 * limits.minimum_side),
        f"tile must be 0 (none) or at least {2 * limits.minimum_side} pixels, not",
    )
    return steps, step_size, tile


def check_first_step(first_step: tf.Tensor) -> tf.Tensor:
    """The value itself, if it is in range."""
    in_range = (first_step >= 0) & (first_step <= MAX_FIRST_STEP)
    return _require(first_step, in_range, f"first_step must be 0 to {MAX_FIRST_STEP}, not")


def check_layer_weights(sent: tf.Tensor, default: npt.NDArray[np.float32]) -> tf.Tensor:
    """The weights themselves, one for each layer, in range and not all zero; `default` [n] if none were sent."""
    count = len(default)
    sent = _require(
        sent,
        tf.equal(tf.size(sent), count) | tf.equal(tf.size(sent), 0),
        f"layer_weights must hold {count} numbers, one for each candidate layer (see the signature describe), "
        "or none; it holds",
        shown=tf.size(sent),
    )
    # No tf.cond: from its branch of known shape the optimiser concludes that the length was right, and drops the check.
    weights = tf.concat([sent, tf.constant(default)[: tf.where(tf.size(sent) > 0, 0, count)]], axis=0)
    weights = _require(
        weights,
        tf.reduce_all(tf.abs(weights) <= MAX_LAYER_WEIGHT),
        f"layer_weights must be -{MAX_LAYER_WEIGHT:g} to {MAX_LAYER_WEIGHT:g}, not",
    )
    weights = _require(
        weights,
        tf.reduce_any(tf.not_equal(weights, 0.0)),
        "layer_weights must not be all zero: no layer to dream of in",
    )
    return tf.ensure_shape(weights, [count])


def check_octaves(octaves: tf.Tensor, octave_scale: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The values themselves, if they are in range."""
    octaves = _require(
        octaves,
        (tf.size(octaves) >= 1) & (tf.size(octaves) <= MAX_OCTAVES),
        f"octaves must hold 1 to {MAX_OCTAVES} numbers; it holds",
        shown=tf.size(octaves),
    )
    octave_scale = _require(
        octave_scale,
        (octave_scale >= MIN_OCTAVE_SCALE) & (octave_scale <= MAX_OCTAVE_SCALE),
        f"octave_scale must be {MIN_OCTAVE_SCALE:g} to {MAX_OCTAVE_SCALE:g}, not",
    )
    return octaves, octave_scale


def check_sizes(value: tf.Tensor, sizes: tf.Tensor, limits: Limits) -> tf.Tensor:
    """`value`, if each row [height, width] of `sizes`, int32 [k, 2], suits the network."""
    value = _require(
        value,
        tf.reduce_all(sizes >= limits.minimum_side),
        f"size: the network needs a height and width of {limits.minimum_side} pixels or more; use a larger picture or "
        "fewer small octaves. The octaves' heights and widths are",
        shown=sizes,
    )
    return check_pixels(value, sizes, limits.maximum_pixels)


def check_result_size(size: tf.Tensor, limits: Limits) -> tf.Tensor:
    """`size`, int32 [2], itself, if a picture may have it."""
    size = _require(size, tf.reduce_all(size >= 1), "size must be 1 pixel or more in height and width, not")
    return check_pixels(size, size[None], limits.maximum_pixels)


def check_pixels(value: tf.Tensor, sizes: tf.Tensor, most: int, *, hint: str = "") -> tf.Tensor:
    """`value`, if no row [height, width] of `sizes`, int32 [k, 2], has more than `most` pixels."""
    pixels = tf.reduce_prod(tf.cast(sizes, tf.int64), axis=1)
    return _require(
        value,
        tf.reduce_all(pixels <= most),
        f"size: at most {most} pixels{hint}; the heights and widths are",
        shown=sizes,
    )


def check_picture(image: tf.Tensor) -> tf.Tensor:
    """The picture [H, W, 3] itself, if it has a pixel."""
    return _require(
        image, tf.size(image) > 0, "image must have at least one pixel; its shape is", shown=tf.shape(image)
    )


def check_guide(guide: tf.Tensor, limits: Limits) -> tf.Tensor:
    """The guide [h, w, 3] itself, if its sides suit."""
    sides = tf.shape(guide)[:2]
    return _require(
        guide,
        tf.reduce_all((sides >= limits.minimum_side) & (sides <= MAX_GUIDE_SIDE)),
        f"guide must be {limits.minimum_side} to {MAX_GUIDE_SIDE} pixels in height and width; they are",
        shown=sides,
    )


def check_state(state: tf.Tensor) -> tf.Tensor:
    """The state itself, if every number in it is one that `open` or `ascend` may have given."""
    # Counted by what is inside: "not (x <= y)" is optimised into "x > y", which lets NaN through.
    inside = tf.math.count_nonzero(tf.abs(state) <= _LARGEST_PIXEL)
    outside = tf.size(state, tf.int64) - inside
    return _require(
        state,
        tf.equal(outside, 0),
        "state must be numbers in -1..1, as the signature open gives it; numbers that are not:",
        shown=outside,
    )


def _require(
    value: tf.Tensor, condition: tf.Tensor, message: str, *, shown: tf.Tensor | None = None
) -> tf.Tensor:
    """`value`, once `condition` holds; else the run fails with INVALID_ARGUMENT, `message` and `shown`."""
    data = [message, value if shown is None else shown]
    with tf.control_dependencies([tf.debugging.Assert(condition, data, summarize=2 * MAX_OCTAVES)]):
        return tf.identity(value)
