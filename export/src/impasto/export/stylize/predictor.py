"""The style predictor: MobileNetV2 from a painting to the numbers that describe its style.

Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", 2018, with the batch normalisation folded
into the convolutions; one more convolution makes the style vector of the mean over the picture.
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
