"""A network with its weights in variables, as the exporters build their graphs from it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from impasto.export.backbones.architecture import Architecture, Conv
from impasto.export.backbones.convolutions import EPSILON, Computed, FastConv, Parameters, RecipeConv, Take
from impasto.export.compute import Compute
from impasto.export.errors import ExportError

Arrays = Mapping[str, npt.NDArray[np.float32]]
"""Weights by name, `<convolution>/kernel`, `/bias` and so on: see `Architecture`."""


class BackboneError(ExportError):
    """Weights that do not fit the network."""


class Backbone(tf.Module):
    """A network of fixed weights.

    Args:
        architecture: the network.
        arrays: a value for each of the network's parameters.
        fold: multiply the batch normalisation into the convolutions, and compute these in less time: see `FastConv`.
            The activations stay within 1e-4 of the unfolded network's. Without it, the network computes what Keras'
            own does, operation by operation. So does one without batch normalisation.
        compute: see `Compute`. The first convolution is float32 in any case: it sees the picture itself, whose finest
            differences bfloat16 would round away, and costs next to nothing. So are the activations that are given out.

    Raises:
        BackboneError: an array is missing or not of the network's shape, or batch normalisation is to be computed in
            bfloat16.
    """

    def __init__(
        self,
        architecture: Architecture,
        arrays: Arrays,
        *,
        fold: bool = True,
        compute: Compute = Compute.FLOAT32,
    ) -> None:
        super().__init__(name=architecture.name)
        self.architecture = architecture
        self.compute = compute
        _check(architecture, arrays)
        if compute is not Compute.FLOAT32 and architecture.normalised and not fold:
            raise BackboneError(
                f"{architecture.name} computes in {compute.value} only with its batch normalisation folded; "
                "leave out --no-fold or take float32"
            )
        # Without batch normalisation `FastConv` gains nothing but another type for gradients: VGG19's kernels are small
        # beside its activations, and none share an input.
        self._fast = fold if architecture.normalised else compute is Compute.BFLOAT16_BACKWARD
        self._computed: dict[str, Computed] = {}
        self._kernels: list[tf.Variable] = []
        self._others: list[list[tf.Variable]] = []
        for name in architecture.convolutions:
            kernel = arrays[f"{name}/kernel"]
            others = [arrays[f"{name}/{parameter}"] for parameter in architecture.parameters]
            if self._fast and architecture.normalised:
                kernel, others = _folded(kernel, *others)
            dtype = tf.as_dtype(self._computes(len(self._kernels)).forward)
            self._kernels.append(tf.Variable(tf.cast(kernel, dtype), trainable=False, name=f"{name}/kernel"))
            self._others.append(
                [
                    tf.Variable(tf.cast(other, dtype), trainable=False, name=f"{name}/other")
                    for other in others
                ]
            )
        self._inputs = self._measured()

    def activations(self, image: tf.Tensor, count: int) -> list[tf.Tensor]:
        """The activations of the first `count` candidate layers.

        Args:
            image: float32 [B, H, W, 3], the network's own input: see `Architecture.from_signed`.
            count: 1 to the number of candidate layers; nothing deeper is built.

        Returns:
            float32 [B, h, w, C] for each layer, from shallow to deep.
        """
        layers = [image]
        for index in range(count):
            layers.append(self.layer(index, layers[-1]))
        return [tf.cast(layer, tf.float32) for layer in layers[1:]]

    def layer(self, index: int, below: tf.Tensor) -> tf.Tensor:
        """A candidate layer's activation [B, h, w, C], in the type that the network computes in.

        Args:
            index: the layer's, from 0.
            below: the activation of the layer before, or the image for the first.
        """
        segment = self.architecture.segments[index]
        start = sum(len(before.convolutions) for before in self.architecture.segments[:index])
        remaining = map(self._parameters, range(start, start + len(segment.convolutions)))

        def take(shape: tuple[int, ...]) -> Parameters:
            parameters = next(remaining)
            if tuple(parameters.kernel.shape) != shape:
                raise BackboneError(
                    f"{parameters.name}/kernel has shape {tuple(parameters.kernel.shape)}, not {shape}: "
                    f"give weights of {self.architecture.name} without its classifier"
                )
            return parameters

        return segment.compute(tf.cast(below, self._dtype(index)), self._conv(take))

    def below(self, index: int) -> tf.TensorSpec:
        """The tf.TensorSpec of the input of `layer`, for a single image."""
        return self._inputs[index]

    @property
    def channels(self) -> tuple[int, ...]:
        """The number of channels of each candidate layer."""
        return tuple(spec.shape[-1] for spec in self._inputs[1:])

    def _measured(self) -> list[tf.TensorSpec]:
        """Run the smallest image through the network, and return the input of each layer and the last one's output."""
        side = self.architecture.minimum_side
        layers = [tf.zeros([1, side, side, 3])]
        for index in range(len(self.architecture.layers)):
            layers.append(self.layer(index, layers[-1]))
        return [tf.TensorSpec([1, None, None, layer.shape[-1]], layer.dtype) for layer in layers]

    def _computes(self, index: int) -> Compute:
        """The type that a convolution computes in, and that a segment takes."""
        return self.compute if index else Compute.FLOAT32

    def _dtype(self, index: int) -> tf.DType:
        return tf.as_dtype(self._computes(index).forward)

    def _conv(self, take: Take) -> Conv:
        if self._fast:
            return FastConv(take, self._computed)
        return RecipeConv(take)

    def _parameters(self, index: int) -> Parameters:
        return Parameters(
            self.architecture.convolutions[index],
            self._kernels[index],
            self._others[index],
            tf.as_dtype(self._computes(index).backward),
        )


def _folded(
    kernel: npt.NDArray[np.float32],
    beta: npt.NDArray[np.float32],
    mean: npt.NDArray[np.float32],
    variance: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.float32], list[npt.NDArray[np.float32]]]:
    """(k * x - mean) / sqrt(variance + e) + beta as one convolution and a bias; in float64, to round once."""
    scale = 1.0 / np.sqrt(variance.astype(np.float64) + EPSILON)
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
