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
PACKET: Final = 8
"""The channels that a convolution on a processor reads at once: it takes twice as long to gather three as eight."""

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
    return tf.nn.depth_to_space(bicubic_channels(image, factor), factor)


def bicubic_channels(image: tf.Tensor, factor: int) -> tf.Tensor:
    """Return the same as `bicubic_enlarged`, with the pixels that a pixel becomes as its channels.

    Args:
        image: float32 [B, H, W, 3], as there.
        factor: as there.

    Returns:
        float32 [B, H, W, factor * factor * 3], as `tf.nn.depth_to_space` takes them.
    """
    batch, height, width = tf.unstack(tf.shape(image)[:3])
    copies = tf.concat([image, image, image[..., : PACKET - 2 * _COLOURS]], axis=3)
    enlarged = tf.nn.conv2d(copies, _cubic_kernel(factor), 1, "SAME")
    columns = tf.repeat(tf.tile(_sums_inside(width, factor), [1, factor]), _COLOURS, axis=1)
    rows = tf.repeat(_sums_inside(height, factor), factor * _COLOURS, axis=1)
    # Rows are divided as long vectors, which is several times faster than pixel by pixel.
    shape = tf.shape(enlarged)
    enlarged = tf.reshape(enlarged, [batch, height, -1]) / tf.reshape(columns, [-1])
    enlarged = tf.reshape(enlarged, shape)
    first = tf.minimum(_REACH, height)
    last = tf.maximum(first, height - _REACH)
    edges = [
        enlarged[:, :first] / rows[:first, tf.newaxis],
        enlarged[:, first:last],
        enlarged[:, last:] / rows[last:, tf.newaxis],
    ]
    return tf.concat(edges, axis=1)


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
    """The kernel [5, 5, PACKET, C * factor ** 2] that gives each pixel's enlargement as channels.

    A GPU may multiply in TF32, which keeps 11 bits of each number. So each weight is there twice, for two copies of the
    picture: its first 11 bits and the rest. Bytes have 8. The other channels of the packet do not count.
    """
    rows = _cubic_weights(factor)
    both = np.einsum("pi,qj->ijpq", rows, rows).reshape(_WINDOW, _WINDOW, factor * factor)
    fraction, exponent = np.frexp(both)
    first = np.ldexp(np.round(fraction * _TF32), exponent) / _TF32
    colours = np.eye(_COLOURS)
    parts = [np.einsum("ijp,cd->ijcpd", part, colours) for part in (first, both - first)]
    kernel = np.concatenate(parts, axis=2).reshape(_WINDOW, _WINDOW, 2 * _COLOURS, -1)
    unused = [(0, 0), (0, 0), (0, PACKET - 2 * _COLOURS), (0, 0)]
    return np.pad(kernel, unused).astype(np.float32)


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


def _sums_inside(length: tf.Tensor, factor: int) -> tf.Tensor:
    """The sums [length, factor] of the weights whose pixels are inside, for each of the pixels that a pixel becomes."""
    inside = tf.pad(tf.ones([length]), [[_REACH, _REACH]])
    windows = tf.stack([inside[tap : tap + length] for tap in range(_WINDOW)], axis=1)
    sums = tf.matmul(windows, _cubic_weights(factor).T.astype(np.float32))
    # A sum of all is one but for rounding, which must not differ from a tile to the whole picture.
    return tf.where(tf.reduce_min(windows, axis=1, keepdims=True) > 0, 1.0, sums)


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
