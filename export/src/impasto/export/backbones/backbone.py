"""A network with its weights in variables, as the exporters build their graphs from it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from impasto.export.backbones.architecture import Architecture
from impasto.export.errors import ExportError

Arrays = Mapping[str, npt.NDArray[np.float32]]
"""Weights by name, `<convolution>/kernel`, `/bias` and so on: see `Architecture`."""

# Keras' InceptionV3 adds this to the variance.
_EPSILON = np.float32(1e-3)


class BackboneError(ExportError):
    """Weights that do not fit the network."""


class Backbone(tf.Module):
    """A network of fixed weights.

    Args:
        architecture: the network.
        arrays: a value for each of the network's parameters.
        fold: multiply the batch normalisation into the convolutions. The activations stay within 1e-4 of the
            unfolded network's and each step costs less.

    Raises:
        BackboneError: an array is missing or not of the network's shape.
    """

    def __init__(self, architecture: Architecture, arrays: Arrays, *, fold: bool = True) -> None:
        super().__init__(name=architecture.name)
        self.architecture = architecture
        _check(architecture, arrays)
        self._folded = fold or not architecture.normalised
        self._kernels: list[tf.Variable] = []
        self._others: list[list[tf.Variable]] = []
        for name in architecture.convolutions:
            kernel = arrays[f"{name}/kernel"]
            others = [arrays[f"{name}/{parameter}"] for parameter in architecture.parameters]
            if architecture.normalised and fold:
                kernel, others = _fold(kernel, *others)
            self._kernels.append(tf.Variable(kernel, trainable=False, name=f"{name}/kernel"))
            self._others.append(
                [tf.Variable(other, trainable=False, name=f"{name}/other") for other in others]
            )

    def channels(self) -> tuple[int, ...]:
        """The number of channels of each candidate layer."""
        side = self.architecture.minimum_side
        smallest = self.activations(tf.zeros([1, side, side, 3]), len(self.architecture.layers))
        return tuple(layer.shape[-1] for layer in smallest)

    def activations(self, image: tf.Tensor, count: int) -> list[tf.Tensor]:
        """The activations of the first `count` candidate layers.

        Args:
            image: float32 [B, H, W, 3], the network's own input: see `Architecture.from_signed`.
            count: 1 to the number of candidate layers; nothing deeper is built.

        Returns:
            float32 [B, h, w, C] for each layer, from shallow to deep.
        """
        position = 0

        def conv(
            x: tf.Tensor, filters: int, kernel: tuple[int, int], *, stride: int = 1, padding: str = "SAME"
        ) -> tf.Tensor:
            nonlocal position
            index, position = position, position + 1
            shape = (*kernel, x.shape[-1], filters)
            if tuple(self._kernels[index].shape) != shape:
                name = self.architecture.convolutions[index]
                raise BackboneError(
                    f"{name}/kernel has shape {tuple(self._kernels[index].shape)}, not {shape}: "
                    f"give weights of {self.architecture.name} without its classifier"
                )
            x = tf.nn.conv2d(x, self._kernels[index], strides=stride, padding=padding)
            if self._folded:
                (bias,) = self._others[index]
                return tf.nn.relu(tf.nn.bias_add(x, bias))
            beta, mean, variance = self._others[index]
            return tf.nn.relu(tf.nn.batch_normalization(x, mean, variance, beta, None, _EPSILON))

        return list(islice(self.architecture.network(image, conv), count))


def _fold(
    kernel: npt.NDArray[np.float32],
    beta: npt.NDArray[np.float32],
    mean: npt.NDArray[np.float32],
    variance: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.float32], list[npt.NDArray[np.float32]]]:
    """(k * x - mean) / sqrt(variance + e) + beta as one convolution and a bias; in float64, to round once."""
    scale = 1.0 / np.sqrt(variance.astype(np.float64) + _EPSILON)
    return (kernel * scale).astype(np.float32), [(beta - mean * scale).astype(np.float32)]


def _check(architecture: Architecture, arrays: Arrays) -> None:
    for name in architecture.convolutions:
        kernel = arrays.get(f"{name}/kernel")
        if kernel is None or kernel.ndim != 4:
            raise BackboneError(f"{architecture.name} needs {name}/kernel with 4 dimensions")
        for parameter in architecture.parameters:
            other = arrays.get(f"{name}/{parameter}")
            if other is None or other.shape != kernel.shape[3:]:
                raise BackboneError(
                    f"{architecture.name} needs {name}/{parameter} of shape {kernel.shape[3:]}"
                )
