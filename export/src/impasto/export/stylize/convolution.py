"""One convolution with its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray


class Kernel(NamedTuple):
    """A convolution's parameters as they are read.

    Attributes:
        weights: float32 [height, width, in, out]; [height, width, channels, 1] where it is depthwise.
        bias: float32 [out].
        depthwise: true where each channel has a filter of its own.
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    depthwise: bool = False


Kernels = Mapping[str, Kernel]
"""A network's convolutions by name."""


class Convolution(tf.Module):
    """A convolution, plain or depthwise, of float32 [B, H, W, C]."""

    def __init__(self, kernel: Kernel, *, stride: int = 1, padding: str = "VALID") -> None:
        super().__init__(name="convolution")
        self.weights = tf.Variable(kernel.weights, trainable=False, name="weights")
        self.bias = tf.Variable(kernel.bias, trainable=False, name="bias")
        self._depthwise = kernel.depthwise
        self._stride = stride
        self._padding = padding

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        """Convolve `x`."""
        if self._depthwise:
            strides = [1, self._stride, self._stride, 1]
            y = tf.nn.depthwise_conv2d(x, self.weights, strides=strides, padding=self._padding)
        else:
            y = tf.nn.conv2d(x, self.weights, strides=self._stride, padding=self._padding)
        return tf.nn.bias_add(y, self.bias)
