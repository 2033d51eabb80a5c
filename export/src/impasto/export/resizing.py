"""Resizing by ops that have GPU kernels, where `tf.image.resize` uses ops that have none.

A server with a GPU computes `ResizeBicubic` (bicubic), `ScaleAndTranslate` (antialiased) and the `ResizeBilinear` of a
uint8 picture on its processor, and copies the picture there and back. What is here gives the same values within a
thousandth of a grey level, at every size and edge.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

_REACH: Final = 2
"""The pixels on either side of one that its enlargement by the cubic kernel depends on."""

_WINDOW: Final = 2 * _REACH + 1
_COLOURS: Final = 3
_TF32: Final = 1 << 11

_TABLE: Final = 1024
"""TensorFlow reads the cubic kernel from a table with this many entries for a pixel."""


def bicubic_enlarged(image: tf.Tensor, factor: int) -> tf.Tensor:
    """Return the picture enlarged as `tf.image.resize(..., method="bicubic")` does it.

    The kernel is that of Keys, "Cubic convolution interpolation for digital image processing" (1981), with a = -1/2.
    Pixels outside do not count: the weights of those inside are scaled to a sum of 1.

    Args:
        image: float32 [B, H, W, 3]. Whole numbers in 0..255 come out the same where a GPU multiplies in TF32.
        factor: how many times wider and higher, a whole number.

    Returns:
        float32 [B, factor * H, factor * W, 3]; the kernel overshoots at edges.
    """
    shape = tf.shape(image)
    enlarged = tf.nn.conv2d(tf.concat([image, image], axis=3), _cubic_kernel(factor), 1, "SAME")
    enlarged = tf.nn.depth_to_space(enlarged, factor)
    for axis in (1, 2):
        enlarged = _scaled_edges(enlarged, shape[axis], factor, axis=axis)
    return enlarged


def antialiased(image: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Return the picture resized as `tf.image.resize(..., antialias=True)` does it: bilinear, wider when it shrinks.

    The memory is that of two pictures when one side shrinks.

    Args:
        image: float32 [B, H, W, C].
        height: the height wanted.
        width: the width wanted.

    Returns:
        float32 [B, height, width, C].
    """
    return _triangular(_triangular(image, height, axis=1), width, axis=2)


def bilinear(image: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Return the picture resized as `tf.image.resize(image, size)` does it: bilinear, without antialiasing.

    Args:
        image: uint8 or float32 [H, W, C].
        size: int32 [2], height and width wanted.

    Returns:
        float32 [height, width, C].
    """
    return tf.image.resize(tf.cast(image, tf.float32), size)


def _cubic_kernel(factor: int) -> NDArray[np.float32]:
    """The kernel [5, 5, 2C, C * factor ** 2] that gives each pixel's enlargement as channels.

    A GPU may multiply in TF32, which keeps 11 bits of each number. So each weight is there twice, for two copies of the
    picture: its first 11 bits and the rest. Bytes have 8.
    """
    rows = _cubic_weights(factor)
    both = np.einsum("pi,qj->ijpq", rows, rows).reshape(_WINDOW, _WINDOW, factor * factor)
    fraction, exponent = np.frexp(both)
    first = np.ldexp(np.round(fraction * _TF32), exponent) / _TF32
    colours = np.eye(_COLOURS)
    parts = [np.einsum("ijp,cd->ijcpd", part, colours) for part in (first, both - first)]
    shape = (_WINDOW, _WINDOW, 2 * _COLOURS, -1)
    return np.concatenate(parts, axis=2).reshape(shape).astype(np.float32)


def _cubic_weights(factor: int) -> NDArray[np.float64]:
    """The weights [factor, 5] of a pixel and two on either side, for each of the pixels that it becomes."""
    weights = np.zeros((factor, _WINDOW))
    for phase in range(factor):
        centre = (phase + 0.5) / factor - 0.5
        before = int(np.floor(centre))
        after = round((centre - before) * _TABLE) / _TABLE
        for tap in range(-1, 3):
            weights[phase, _REACH + before + tap] = _keys(abs(tap - after))
    return weights


def _scaled_edges(image: tf.Tensor, length: tf.Tensor, factor: int, *, axis: int) -> tf.Tensor:
    """Divide the outermost rows or columns by the sum of the weights whose pixels were inside."""
    inside = tf.pad(tf.ones([length]), [[_REACH, _REACH]])
    windows = tf.stack([inside[tap : tap + length] for tap in range(_WINDOW)], axis=1)
    sums = tf.reshape(tf.matmul(windows, _cubic_weights(factor).T.astype(np.float32)), [-1])
    sums = tf.reshape(sums, [-1, 1, 1] if axis == 1 else [-1, 1])
    end = factor * length
    first = tf.minimum(_REACH * factor, end)
    last = tf.maximum(first, end - _REACH * factor)
    edges = [
        _part(image, axis, 0, first) / sums[:first],
        _part(image, axis, first, last),
        _part(image, axis, last, end) / sums[last:],
    ]
    return tf.concat(edges, axis=axis)


def _part(image: tf.Tensor, axis: int, start: int | tf.Tensor, end: tf.Tensor) -> tf.Tensor:
    return image[:, start:end] if axis == 1 else image[:, :, start:end]


def _keys(distance: float) -> float:
    if distance <= 1:
        return (1.5 * distance - 2.5) * distance * distance + 1
    return ((-0.5 * distance + 2.5) * distance - 4) * distance + 2


def _triangular(image: tf.Tensor, wanted: int, *, axis: int) -> tf.Tensor:
    """Resize one axis: each result is a sum weighted by a triangle, which is wider than a pixel when it shrinks."""
    length = tf.shape(image)[axis]
    # The roundings are those of TensorFlow's kernel: at sides of nearly `wanted` they decide which pixels count.
    scale = 1.0 / (wanted / tf.cast(length, tf.float32))
    reach = tf.maximum(scale, 1.0)
    centres = (tf.range(wanted, dtype=tf.float32) + 0.5) * scale
    first = tf.cast(tf.math.ceil(centres - reach - 0.5), tf.int32)
    taps = tf.range(2 * tf.cast(tf.math.ceil(reach), tf.int32) + 1)
    places = first[:, None] + taps
    distances = (tf.cast(places, tf.float32) + 0.5 - centres[:, None]) * (1.0 / reach)
    is_inside = (places >= 0) & (places < length)
    weights = tf.where(is_inside, tf.maximum(1.0 - tf.abs(distances), 0.0), 0.0)
    weights /= tf.reduce_sum(weights, axis=1, keepdims=True)
    neighbours = tf.gather(image, tf.clip_by_value(places, 0, length - 1), axis=axis)
    shaped = tf.reshape(weights, tf.concat([tf.shape(weights), tf.ones([3 - axis], tf.int32)], axis=0))
    return tf.reduce_sum(neighbours * shaped, axis=axis + 1)
