"""A network of ncnn's files as a TensorFlow module."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from impasto.export.upscale.ncnn.errors import NcnnError
from impasto.export.upscale.ncnn.layers import KINDS, Blob, Compute, View, Weights
from impasto.export.upscale.ncnn.param_file import Layer, read_layers
from impasto.export.upscale.ncnn.weights_file import WeightsReader

_COLOURS: Final = 3
_INPUT: Final = "Input"


@dataclass(frozen=True)
class _Step:
    compute: Compute
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class Network(tf.Module):
    """A network from a picture to a larger one.

    Attributes:
        view: the result's view of the picture.
    """

    def __init__(self, layers: list[Layer], reader: WeightsReader) -> None:
        super().__init__(name="ncnn_network")
        self.weights: list[tf.Variable] = []
        first, *others = layers or [Layer("nothing", "", (), ())]
        first.check(inputs=0, known=set())
        if first.kind != _INPUT or len(first.outputs) != 1:
            raise NcnnError(f"the first layer is {first}; it must be an {_INPUT} that gives the picture")
        self._input = first.outputs[0]
        blobs = {self._input: Blob(_COLOURS, View())}
        weights = Weights(reader, self._variable)
        self._steps = tuple(_step(layer, blobs, weights) for layer in others)
        self._output = _last(layers)
        result = blobs[self._output]
        if result.channels != _COLOURS:
            raise NcnnError(f"its result has {result.channels} channels; a picture has {_COLOURS}")
        self.view: View = result.view

    @property
    def factor(self) -> int:
        """The result's width and height by the picture's."""
        return self.view.scale

    def __call__(self, picture: tf.Tensor) -> tf.Tensor:
        """Enlarge pictures.

        Args:
            picture: float32 [B, H, W, 3], RGB in 0..1.

        Returns:
            float32 [B, factor * H, factor * W, 3], around 0..1.
        """
        blobs = {self._input: picture}
        for step in self._steps:
            result = step.compute([blobs[name] for name in step.inputs])
            blobs.update(dict.fromkeys(step.outputs, result))
        return blobs[self._output]

    def _variable(self, numbers: NDArray[np.float32], name: str) -> tf.Variable:
        variable = tf.Variable(numbers, trainable=False, name=name)
        self.weights.append(variable)
        return variable


def read_network(param: bytes, weights: bytes, *, where: str) -> Network:
    """Return the network of two files.

    Args:
        param: the content of the `.param`.
        weights: the content of the `.bin`.
        where: the network's name, for errors.

    Raises:
        NcnnError: they are damaged, do not belong together, or have a layer that is not read here.
    """
    try:
        reader = WeightsReader(weights)
        network = Network(read_layers(param), reader)
        reader.finish()
    except NcnnError as error:
        raise NcnnError(f"{where}: {error}") from error
    return network


def _step(layer: Layer, blobs: dict[str, Blob], weights: Weights) -> _Step:
    if layer.kind not in KINDS:
        raise NcnnError(f"{layer} is of a kind that is not read here; known are {_INPUT}, {', '.join(KINDS)}")
    if layer.kind != "Split" and len(layer.outputs) != 1:
        raise NcnnError(f"{layer} has {len(layer.outputs)} outputs; it must have 1")
    compute, blob = KINDS[layer.kind](layer, [blobs[name] for name in layer.inputs], weights)
    blobs.update(dict.fromkeys(layer.outputs, blob))
    return _Step(compute, layer.inputs, layer.outputs)


def _last(layers: list[Layer]) -> str:
    taken = {name for layer in layers for name in layer.inputs}
    ends = [name for layer in layers for name in layer.outputs if name not in taken]
    if len(ends) != 1:
        raise NcnnError(f"it has {len(ends)} results that no layer takes; an upscaler has one")
    return ends[0]
