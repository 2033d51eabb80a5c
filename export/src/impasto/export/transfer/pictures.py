"""Between uint8 pictures and the float32 picture that is optimised, rounding by rounding as the usual recipe does."""

from __future__ import annotations

import tensorflow as tf


def from_bytes(image: tf.Tensor) -> tf.Tensor:
    """uint8 to float32 in 0..1."""
    return tf.image.convert_image_dtype(image, tf.float32)


def to_bytes(image: tf.Tensor) -> tf.Tensor:
    """0..1 to uint8, cut off rather than rounded."""
    return tf.cast(255.0 * image, tf.uint8)


def resize(image: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """float32 [h, w, 3] to [H, W, 3]: bilinear, without antialiasing; a picture of that size stays as it is."""
    return tf.ensure_shape(tf.image.resize(image, size), [None, None, 3])


def painting_size(size: tf.Tensor, longest_side: tf.Tensor) -> tf.Tensor:
    """int32 [2]: height and width `size` [2], scaled so that the larger is `longest_side`, and cut off."""
    sides = tf.cast(size, tf.float32)
    scale = tf.math.divide_no_nan(tf.cast(longest_side, tf.float32), tf.reduce_max(sides))
    # Beyond int32 a cast gives anything; any number above every limit will do.
    return tf.cast(tf.minimum(sides * scale, float(1 << 30)), tf.int32)
