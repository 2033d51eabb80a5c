"""The painter: a photo and a style vector to the stylized photo.

Ghiasi et al., "Exploring the structure of a real-time, arbitrary neural artistic stylization network", 2017: three
convolutions down to a quarter of the size, five residual blocks, three convolutions back up. Conditional instance
normalisation after each convolution but the first three brings the style in.
"""

from __future__ import annotations

from typing import Final

import tensorflow as tf

from impasto.export.stylize.onnx_file import Convolution, Kernels

EPSILON: Final = 1e-5
_RESIDUALS: Final = 5


class Painter(tf.Module):
    """Photos float32 [B, H, W, 3] in 0..1 and vectors float32 [B or 1, N] to float32 [B, H', W', 3] in 0..1.

    H' and W' are H and W rounded up to multiples of 4; the picture stands at the top left. Sides must be at
    least 5, where mirroring the edges has what it needs.
    """

    def __init__(self, kernels: Kernels) -> None:
        super().__init__(name="painter")
        self.contract = [
            Convolution(kernels[f"transformer/contract/conv{i}"], stride=stride)
            for i, stride in ((1, 1), (2, 2), (3, 2))
        ]
        self.residuals = [
            tuple(_StyledConvolution(kernels, f"transformer/residual/residual{i}/conv{j}") for j in (1, 2))
            for i in range(1, _RESIDUALS + 1)
        ]
        self.expand = [_StyledConvolution(kernels, f"transformer/expand/conv{i}/conv") for i in (1, 2, 3)]

    def __call__(self, content: tf.Tensor, vector: tf.Tensor) -> tf.Tensor:
        """Paint `content` in the style of `vector`."""
        x = tf.nn.relu(self.contract[0](_mirror(content, 4)))
        for convolution in self.contract[1:]:
            x = tf.nn.relu(convolution(_mirror(x, 1)))
        for first, second in self.residuals:
            y = tf.nn.relu(first(_mirror(x, 1), vector))
            x = x + second(_mirror(y, 1), vector)
        for convolution in self.expand[:-1]:
            x = tf.nn.relu(convolution(_mirror(_twice(x), 1), vector))
        return tf.nn.sigmoid(self.expand[-1](_mirror(x, 4), vector))


class _StyledConvolution(tf.Module):
    """A convolution, then conditional instance normalisation: each channel of each picture gets mean and
    standard deviation that the style vector dictates, by one linear map for each.
    """

    def __init__(self, kernels: Kernels, name: str) -> None:
        super().__init__(name="styled_convolution")
        self.convolution = Convolution(kernels[name])
        self.deviation = Convolution(kernels[f"style_params/{name}/StyleNorm/Conv_1"])
        self.mean = Convolution(kernels[f"style_params/{name}/StyleNorm/Conv"])

    def __call__(self, x: tf.Tensor, vector: tf.Tensor) -> tf.Tensor:
        y = self.convolution(x)
        mean, variance = tf.nn.moments(y, axes=[1, 2], keepdims=True)
        pixel = vector[:, tf.newaxis, tf.newaxis, :]
        return tf.nn.batch_normalization(
            y, mean, variance, self.mean(pixel), self.deviation(pixel), variance_epsilon=EPSILON
        )


def _mirror(x: tf.Tensor, margin: int) -> tf.Tensor:
    """Continue a picture beyond its edges by its mirror image, without repeating the edge itself."""
    return tf.pad(x, [[0, 0], [margin, margin], [margin, margin], [0, 0]], mode="REFLECT")


def _twice(x: tf.Tensor) -> tf.Tensor:
    return tf.image.resize(x, 2 * tf.shape(x)[1:3], method="nearest")
