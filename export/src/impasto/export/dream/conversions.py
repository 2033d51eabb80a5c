"""The conversions between uint8 pictures and the state that is optimised, and the octaves' sizes.

Numbers come out as they do in the usual recipe, step by step and rounding by rounding. TensorFlow's graph optimiser
turns `x / 127.5` into `x * (1 / 127.5)`, which rounds differently, so divisors are variables that it cannot see into.
"""

from __future__ import annotations

import tensorflow as tf

from impasto.export.resizing import bilinear


class Conversions(tf.Module):
    """The conversions, with the divisors that they need."""

    def __init__(self) -> None:
        super().__init__(name="conversions")
        self._half_range = tf.Variable(127.5, trainable=False, name="half_range")
        self._range = tf.Variable(255.0, trainable=False, name="range")
        self._million = tf.Variable(1e6, trainable=False, dtype=tf.float64, name="million")

    def open(self, image: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
        """uint8 [h, w, 3], resized to `size` [2] without antialiasing: float32 [H, W, 3] in -1..1."""
        return self.to_signed(bilinear(image, size))

    def open_detailed(
        self, image: tf.Tensor, size: tf.Tensor, original: tf.Tensor, details: tf.Tensor
    ) -> tf.Tensor:
        """The outputs of `open`, with the detail that `image` has lost because it is smaller than `size`.

        Args:
            image: uint8 [h, w, 3].
            size: int32 [2], H and W.
            original: uint8 [a, b, 3], the picture whose detail is added: its difference, at `size`, from itself at the
                size of `image` enlarged.
            details: float32 [], how much of that, 0 to 1.
        """
        opened = self.open(image, size)

        def detailed() -> tf.Tensor:
            small = self.open(original, tf.shape(image)[:2])
            lost = self.open(original, size) - bilinear(small, size)
            return tf.clip_by_value(opened + details * lost, -1.0, 1.0)

        return tf.ensure_shape(tf.cond(details > 0.0, detailed, lambda: opened), [None, None, 3])

    def to_signed(self, image: tf.Tensor) -> tf.Tensor:
        """0..255 to -1..1, float32."""
        return tf.cast(image, tf.float32) / self._half_range - 1.0

    def to_bytes(self, state: tf.Tensor) -> tf.Tensor:
        """-1..1 to uint8, cut off rather than rounded."""
        return tf.cast(255.0 * (state + 1.0) / 2.0, tf.uint8)

    def resize(self, image: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
        """uint8 [h, w, 3] to uint8 [H, W, 3]; a picture of that size already stays as it is."""
        resized = bilinear(image, size) / self._range
        return tf.ensure_shape(tf.image.convert_image_dtype(resized, tf.uint8), [None, None, 3])

    def octave_sizes(self, size: tf.Tensor, octave_scale: tf.Tensor, octaves: tf.Tensor) -> tf.Tensor:
        """int32 [k, 2]: float32(size) times octave_scale to the power of each octave, cut off.

        The recipe's 1.3 is a Python float. As float32 it arrives as 1.2999999523, whose powers give other sizes: six
        decimals bring it back.
        """
        exact = tf.round(tf.cast(octave_scale, tf.float64) * self._million) / self._million
        factors = tf.cast(tf.pow(exact, tf.cast(octaves, tf.float64)), tf.float32)
        sides = tf.cast(size, tf.float32)[None, :] * factors[:, None]
        # Beyond int32 a cast gives anything; any number above every limit will do.
        return tf.cast(tf.minimum(sides, float(1 << 30)), tf.int32)
