"""SRCNN as the server runs it: uint8 batches in, uint8 batches of twice the size out."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from impasto.export.srcnn.network import SRCNN, enlarge, pad_edges
from impasto.export.srcnn.presets import MARGIN


class ServedSRCNN(tf.Module):
    """The trained network between uint8 images.

    The enlarged image is padded by what the valid convolutions take off, so that the result has no dark frame.
    """

    def __init__(self, network: SRCNN) -> None:
        super().__init__(name="served_srcnn")
        self.network = network
        self.serving_default = tf.function(
            self._upscale_batch,
            input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8, name="image")],
        )

    def _upscale_batch(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        sides = tf.shape(image)
        check = tf.debugging.Assert(
            tf.reduce_all(sides[:3] > 0),
            ["image must have at least one picture and one pixel, its shape is", sides],
        )
        with tf.control_dependencies([check]):
            enlarged = enlarge(tf.cast(image, tf.float32))
        refined = self.network(pad_edges(enlarged, MARGIN))
        return {"image": tf.cast(tf.round(tf.clip_by_value(refined, 0.0, 255.0)), tf.uint8)}

    def upscale(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """One image uint8 [H, W, 3] to uint8 [2H, 2W, 3], in this process."""
        result: NDArray[np.uint8] = self.serving_default(image[None])["image"][0].numpy()
        return result
