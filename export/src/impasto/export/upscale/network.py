"""The project's own upscaling network: one body in the low resolution, with a tail for each factor.

The last layer gives the pixels that one pixel becomes as channels (Shi et al., "Real-Time Single Image and Video
Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural Network", 2016). What is computed is added to the
bicubic enlargement, and the last layers start at zero: training starts at bicubic quality.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from impasto.export.resizing import PACKET, bicubic_channels
from impasto.export.upscale.presets import FACTORS, Size

_COLOURS: Final = 3
_WHITE: Final = 255.0


class UpscalingNetwork(tf.Module):
    """A first convolution, pairs of convolutions with a skip around each pair, and a last convolution for each factor.

    Convolutions pad with zeros, so a picture's border looks the same in a tile that lies at it.

    Args:
        size: the number of channels and layers.
        factors: how many times wider and higher the results may be.
        seed: the seed of the He initialisation.
    """

    def __init__(self, size: Size, *, factors: tuple[int, ...] = FACTORS, seed: int = 0) -> None:
        super().__init__(name="upscaling_network")
        self.size = size
        self.factors = factors
        rng = np.random.default_rng(seed)
        widths = [_COLOURS, *[size.channels] * (size.layers - 1)]
        # The second of a pair is added to what it was made from: smaller at first, so that sums do not grow.
        gains = [1.0, *[1.0, (size.layers / 2 - 1) ** -0.5] * (size.layers // 2 - 1)]
        self.body = [
            _Convolution(gain * _he(rng, fan, filters), f"conv{number}")
            for number, (fan, filters, gain) in enumerate(zip(widths, widths[1:], gains, strict=False), 1)
        ]
        self.tails = {
            str(factor): _Convolution(
                np.zeros((3, 3, size.channels, _COLOURS * factor * factor), np.float32), f"tail{factor}"
            )
            for factor in factors
        }

    def __call__(self, image: tf.Tensor, factor: int, *, compute: tf.DType = tf.float32) -> tf.Tensor:
        """Enlarge pictures.

        Args:
            image: float32 [B, H, W, 3], pixel values 0..255.
            factor: one of `factors`.
            compute: the dtype of the convolutions.

        Returns:
            float32 [B, factor * H, factor * W, 3], around 0..255, not clipped.
        """
        features = tf.nn.relu(self.body[0](tf.cast(image / _WHITE - 0.5, compute)))
        for first, second in zip(self.body[1::2], self.body[2::2], strict=True):
            features += second(tf.nn.relu(first(features)))
        detail = tf.cast(self.tails[str(factor)](features), tf.float32)
        return tf.nn.depth_to_space(bicubic_channels(image, factor) + _WHITE * detail, factor)

    def variables_of(self, factor: int) -> list[tf.Variable]:
        """Return the variables that a factor's result depends on."""
        layers = [*self.body, self.tails[str(factor)]]
        return [variable for layer in layers for variable in (layer.kernel, layer.bias)]


class _Convolution(tf.Module):
    def __init__(self, kernel: NDArray[np.float32], name: str) -> None:
        super().__init__(name=name)
        self.kernel = tf.Variable(kernel, name="kernel")
        self.bias = tf.Variable(np.zeros(kernel.shape[-1], np.float32), name="bias")

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        kernel, bias = (tf.cast(variable, x.dtype) for variable in (self.kernel, self.bias))
        if lacking := -x.shape[3] % PACKET:
            x = tf.pad(x, [(0, 0), (0, 0), (0, 0), (0, lacking)])
            kernel = tf.pad(kernel, [(0, 0), (0, 0), (0, lacking), (0, 0)])
        return tf.nn.bias_add(tf.nn.conv2d(x, kernel, strides=1, padding="SAME"), bias)


def _he(rng: np.random.Generator, fan: int, filters: int) -> NDArray[np.float32]:
    """Return a 3x3 kernel by He et al. 2015, equation 10."""
    return rng.normal(0.0, np.sqrt(2.0 / (9 * fan)), (3, 3, fan, filters)).astype(np.float32)
