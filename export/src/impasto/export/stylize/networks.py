"""The small networks of the stylizer: one describes the style of a painting, the other paints by that description.

The style predictor is the network of Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", 2018,
with the batch normalisation folded into the convolutions; one more convolution makes the style vector of the mean over
the picture.

The painter is that of Ghiasi et al., "Exploring the structure of a real-time, arbitrary neural artistic stylization
network", 2017: three convolutions down to a quarter of the size, five residual blocks, three convolutions back up.
Conditional instance normalisation after each convolution but the first three brings the style in.
"""

from __future__ import annotations

from itertools import count, takewhile
from typing import Final

import tensorflow as tf

from impasto.export.stylize.onnx_file import Convolution, Kernels

_STEM: Final = "MobilenetV2/Conv"
_LAST: Final = "MobilenetV2/Conv_1"
_VECTOR: Final = "mobilenet_conv/Conv"
_HALVING_BLOCKS: Final = (1, 3, 6, 13)


class StylePredictor(tf.Module):
    """Paintings float32 [S, h, w, 3] in 0..1 to style vectors float32 [S, N]."""

    def __init__(self, kernels: Kernels) -> None:
        super().__init__(name="style_predictor")
        self.stem = Convolution(kernels[_STEM], stride=2, padding="SAME")
        self.blocks = [InvertedResidual(kernels, name, stride) for name, stride in _blocks(kernels)]
        self.last = Convolution(kernels[_LAST])
        self.vector = Convolution(kernels[_VECTOR])
        self.size = int(kernels[_VECTOR].bias.size)

    def __call__(self, style: tf.Tensor) -> tf.Tensor:
        """The style vectors."""
        x = tf.nn.relu6(self.stem(style))
        for block in self.blocks:
            x = block(x)
        x = tf.nn.relu6(self.last(x))
        mean = tf.reduce_mean(x, axis=[1, 2], keepdims=True)
        return tf.reshape(self.vector(mean), [-1, self.size])


class InvertedResidual(tf.Module):
    """A MobileNetV2 block: widen each pixel, filter each channel, narrow each pixel; added where shapes allow."""

    def __init__(self, kernels: Kernels, name: str, stride: int) -> None:
        super().__init__(name="inverted_residual")
        widen = kernels.get(f"{name}/expand")
        filters, narrow = kernels[f"{name}/depthwise"], kernels[f"{name}/project"]
        self.widen = None if widen is None else Convolution(widen)
        self.filter = Convolution(filters, stride=stride, padding="SAME")
        self.narrow = Convolution(narrow)
        channels = (filters if widen is None else widen).weights.shape[2]
        self._adds = stride == 1 and narrow.bias.size == channels

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        """The block's output at 1 / stride of the size."""
        y = x if self.widen is None else tf.nn.relu6(self.widen(x))
        y = self.narrow(tf.nn.relu6(self.filter(y)))
        return x + y if self._adds else y


def _blocks(kernels: Kernels) -> list[tuple[str, int]]:
    """The names and strides of the blocks that are there."""
    names = ("MobilenetV2/expanded_conv" + (f"_{number}" if number else "") for number in count())
    found = takewhile(lambda name: f"{name}/depthwise" in kernels, names)
    return [(name, 2 if number in _HALVING_BLOCKS else 1) for number, name in enumerate(found)]


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
