"""The SRCNN network, and how it is served: bicubic interpolation, refined by it.

Dong, Loy, He and Tang, "Image Super-Resolution Using Deep Convolutional Networks" (2014): three convolutions of
9, 1 and 5 pixels with 64 and 32 filters between, on an image already enlarged by bicubic interpolation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import tensorflow as tf

from impasto.export.provenance import trained_here
from impasto.export.resizing import bicubic_enlarged
from impasto.export.srcnn.presets import MARGIN, SCALE
from impasto.export.upscale.upscaler import Enlarger, Upscaler

_KERNELS = (9, 1, 5)
_CHANNELS = (3, 64, 32, 3)


class SRCNN(tf.Module):
    """The three convolutions, valid padding, on all of R, G and B.

    Args:
        residual: add the cropped input to what the network computes. The last layer then starts at
            zero.
        pixel_scale: divisor of pixel values in front of the network.
        pixel_mean: pixel value that the network sees as zero.
        seed: the seed of the He initialisation.
    """

    def __init__(self, *, residual: bool, pixel_scale: float, pixel_mean: float, seed: int = 0) -> None:
        super().__init__(name="srcnn")
        self.residual = residual
        self.pixel_scale = pixel_scale
        self.pixel_mean = pixel_mean
        rng = np.random.default_rng(seed)
        self.kernels: list[tf.Variable] = []
        self.biases: list[tf.Variable] = []
        for layer, (size, fan, filters) in enumerate(zip(_KERNELS, _CHANNELS, _CHANNELS[1:], strict=False)):
            shape = (size, size, fan, filters)
            he = np.sqrt(2.0 / (size * size * fan))  # He et al. 2015, equation 10
            last = layer == len(_KERNELS) - 1
            kernel = np.zeros(shape) if residual and last else rng.normal(0.0, he, shape)
            self.kernels.append(tf.Variable(kernel.astype(np.float32), name=f"conv{layer + 1}/kernel"))
            self.biases.append(tf.Variable(np.zeros(filters, np.float32), name=f"conv{layer + 1}/bias"))

    def __call__(self, enlarged: tf.Tensor) -> tf.Tensor:
        """Refine an enlarged image.

        Args:
            enlarged: float32 [B, H, W, 3], pixel values 0..255.

        Returns:
            float32 [B, H - 12, W - 12, 3], around 0..255, not clipped.
        """
        scaled = enlarged / self.pixel_scale
        x = scaled - self.pixel_mean / self.pixel_scale
        for layer, (kernel, bias) in enumerate(zip(self.kernels, self.biases, strict=True)):
            x = tf.nn.conv2d(x, kernel, strides=1, padding="VALID") + bias
            if layer < len(self.kernels) - 1:
                x = tf.nn.relu(x)
        if self.residual:
            x = x + scaled[:, MARGIN:-MARGIN, MARGIN:-MARGIN, :]
        return x * self.pixel_scale


def enlarge(image: tf.Tensor) -> tf.Tensor:
    """Double width and height by bicubic interpolation.

    Args:
        image: float32 [B, H, W, 3], 0..255.

    Returns:
        float32 [B, 2H, 2W, 3], clipped to 0..255 (the cubic kernel overshoots at edges).
    """
    return tf.clip_by_value(bicubic_enlarged(image, SCALE), 0.0, 255.0)


def pad_edges(image: tf.Tensor, margin: int) -> tf.Tensor:
    """Repeat the outermost pixels `margin` times on each side of [B, H, W, C].

    `tf.pad` has no such mode, and its mirror modes refuse images smaller than the margin.
    """
    rows, columns = [1, margin, 1, 1], [1, 1, margin, 1]
    image = tf.concat([tf.tile(image[:, :1], rows), image, tf.tile(image[:, -1:], rows)], axis=1)
    sides = tf.tile(image[:, :, :1], columns), tf.tile(image[:, :, -1:], columns)
    return tf.concat([sides[0], image, sides[1]], axis=2)


REACH: Final = 5
"""Pixels of the picture given that a pixel of the result depends on to each side.

Bicubic interpolation reaches 2; the convolutions 9-1-5 reach 4 + 0 + 2 = 6 pixels of the doubled picture, which are 3.
"""


def upscaler_of(network: SRCNN, training: Mapping[str, Any] | None = None) -> Upscaler:
    """Return the network as it is served.

    Args:
        network: the network.
        training: the record of its training, if it had one.
    """

    def double(image: tf.Tensor) -> tf.Tensor:
        # Padded by what the valid convolutions take off, so that the result has no dark frame.
        return network(pad_edges(enlarge(image), MARGIN))

    return Upscaler(
        network="SRCNN 9-1-5",
        weights=trained_here(training or {}),
        module=network,
        enlargers={SCALE: Enlarger(double, REACH)},
    )
