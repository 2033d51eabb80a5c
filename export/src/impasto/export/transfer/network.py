"""VGG19 as transfer runs it: one layer at a time, forward and back, with convolutions in float32 or bfloat16.

Written out rather than left to automatic differentiation, so that one graph serves every depth: what a request does
not need is left out layer by layer at run time.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from impasto.export.backbones import VGG19, BackboneError
from impasto.export.backbones.backbone import Arrays
from impasto.export.backbones.vgg19 import preprocess

LAYERS: Final = VGG19.layers
"""The candidate layers, from shallow to deep; each is a convolution with its ReLU."""

MINIMUM_SIDE: Final = VGG19.minimum_side
"""Least height and width of a picture in pixels."""

BLOCKS: Final = tuple(int(name.removeprefix("block").split("_")[0]) for name in LAYERS)
"""The number of each layer's block, from 1. A pooling that halves the sides is before each block but the first."""

_POOLING: Final = {"ksize": [1, 2, 2, 1], "strides": [1, 2, 2, 1], "padding": "VALID"}


class Network(tf.Module):
    """VGG19 without its classifier, of fixed weights.

    Args:
        arrays: a kernel and a bias for each convolution, as `impasto.export.backbones.load_weights` gives them.
        compute: `float32`, or `bfloat16` for the convolutions after the first. The first sees the picture itself,
            whose finest differences bfloat16 would round away, and costs next to nothing.

    Raises:
        BackboneError: the arrays are not of VGG19's convolutions.
    """

    def __init__(self, arrays: Arrays, *, compute: tf.DType = tf.float32) -> None:
        super().__init__(name=VGG19.name)
        self.compute = compute
        self._kernels: list[tf.Variable] = []
        self._biases: list[tf.Variable] = []
        channels = [3]
        for index, name in enumerate(LAYERS):
            kernel, bias = _parameters(arrays, name, channels[-1])
            dtype = compute if index else tf.float32
            self._kernels.append(tf.Variable(tf.cast(kernel, dtype), trainable=False, name=f"{name}/kernel"))
            self._biases.append(tf.Variable(tf.cast(bias, dtype), trainable=False, name=f"{name}/bias"))
            channels.append(kernel.shape[3])
        self.channels = tuple(channels[1:])
        """The number of channels of each layer."""

    def dtype(self, index: int) -> tf.DType:
        """The type of a layer's activation."""
        return self._kernels[index].dtype

    def from_picture(self, picture: tf.Tensor) -> tf.Tensor:
        """What the first layer takes, [1, H, W, 3], of a picture [H, W, 3] in 0..1."""
        return preprocess(255.0 * picture[None])

    def to_picture(self, gradient: tf.Tensor) -> tf.Tensor:
        """From the gradient of what the first layer takes to the picture's, [H, W, 3]."""
        return 255.0 * gradient[0, ..., ::-1]

    def forward(self, index: int, below: tf.Tensor) -> tf.Tensor:
        """A layer's activation, from that of the layer below."""
        own = tf.cast(self._pooled(index, below), self.dtype(index))
        x = tf.nn.conv2d(own, self._kernels[index], strides=1, padding="SAME")
        return tf.nn.relu(tf.nn.bias_add(x, self._biases[index]))

    def backward(
        self, index: int, gradient: tf.Tensor, *, below: tf.Tensor, activation: tf.Tensor
    ) -> tf.Tensor:
        """From a layer's gradient to that of the layer below, given what `forward` took and gave."""
        # Pooled once more rather than kept: next to each other, TensorFlow takes oneDNN's kernels for the pooling and
        # its gradient, which more than makes up for it.
        pooled = self._pooled(index, below)
        gradient = tf.raw_ops.ReluGrad(gradients=gradient, features=activation)
        gradient = tf.nn.conv2d_transpose(gradient, self._kernels[index], tf.shape(pooled), 1, "SAME")
        gradient = tf.cast(gradient, below.dtype)
        if pooled is below:
            return gradient
        return tf.raw_ops.MaxPoolGrad(orig_input=below, orig_output=pooled, grad=gradient, **_POOLING)

    def _pooled(self, index: int, below: tf.Tensor) -> tf.Tensor:
        """What a layer's convolution takes: smaller than the layer below where a block begins."""
        if index and BLOCKS[index] != BLOCKS[index - 1]:
            return tf.nn.max_pool2d(below, **_POOLING)
        return below


def _parameters(arrays: Arrays, name: str, channels: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    kernel, bias = arrays.get(f"{name}/kernel"), arrays.get(f"{name}/bias")
    if kernel is None or bias is None:
        raise BackboneError(f"{VGG19.name} needs {name}/kernel and {name}/bias")
    if kernel.ndim != 4 or kernel.shape[:3] != (3, 3, channels) or bias.shape != kernel.shape[3:]:
        raise BackboneError(
            f"{VGG19.name} needs {name}/kernel of shape [3, 3, {channels}, filters] and {name}/bias of shape "
            f"[filters], not {list(kernel.shape)} and {list(bias.shape)}: give weights without its classifier"
        )
    return kernel, bias
