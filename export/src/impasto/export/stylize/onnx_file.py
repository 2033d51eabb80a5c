"""Reading the convolutions of a quantised ONNX file.

The file keeps each kernel as integers with a scale, and rounds every intermediate value to 8 bits as well. Only the
kernels matter here: with them the network is computed in float32, closer to what was trained than the file itself is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from impasto.export.errors import ExportError


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


_ENDINGS: Final = ("/depthwise_weights", "/weights")


class OnnxFileError(ExportError):
    """A file that is no ONNX model, or not of the kind that is read here; or the package `onnx` is missing."""


def read_kernels(content: bytes, *, where: str) -> dict[str, Kernel]:
    """The convolutions of the ONNX model in `content`, dequantised, by name.

    Args:
        content: the file's bytes.
        where: the file's name for an error.

    Raises:
        OnnxFileError: the content is no ONNX model of this kind, or the package `onnx` is missing.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise OnnxFileError(
            "reading the package's weights needs onnx: pip install 'impasto-export[package]'"
        ) from error
    try:
        graph = onnx.load_model_from_string(content).graph
    except DecodeError as error:
        raise OnnxFileError(f"{where} is not an ONNX file ({error})") from error
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    dequantised = {node.output[0]: node for node in graph.node if node.op_type == "DequantizeLinear"}
    kernels = {}
    for node in graph.node:
        if node.op_type != "Conv":
            continue
        try:
            weights_node, bias_node = (dequantised[name] for name in node.input[1:3])
            name = _name(weights_node.input[0])
            kernels[name] = _kernel(
                _floats(weights_node, constants), _floats(bias_node, constants), groups=_groups(node)
            )
        except (KeyError, ValueError) as error:
            raise OnnxFileError(
                f"{where}: convolution {node.name!r} has no quantised weights and bias ({error})"
            ) from error
    return kernels


def _name(constant: str) -> str:
    for ending in _ENDINGS:
        if constant.endswith(ending):
            return constant.removesuffix(ending)
    raise ValueError(f"its weights are called {constant!r}")


def _floats(node: Any, constants: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
    """The output of the DequantizeLinear `node`: (integers - zero point) times scale, both for each output channel."""
    integers, scale, zero_point = (constants[name] for name in node.input)
    shape = (-1,) + (1,) * (integers.ndim - 1)
    offsets = integers.astype(np.int64) - zero_point.reshape(shape)
    return offsets.astype(np.float32) * scale.reshape(shape)


def _groups(node: Any) -> int:
    return next((int(attribute.i) for attribute in node.attribute if attribute.name == "group"), 1)


def _kernel(weights: NDArray[np.float32], bias: NDArray[np.float32], *, groups: int) -> Kernel:
    """ONNX keeps [out, in / groups, height, width]; where every channel is a group, TensorFlow wants out before 1."""
    if groups == 1:
        return Kernel(np.ascontiguousarray(weights.transpose(2, 3, 1, 0)), bias)
    if groups != weights.shape[0]:
        raise ValueError(f"{groups} groups for {weights.shape[0]} channels")
    return Kernel(np.ascontiguousarray(weights.transpose(2, 3, 0, 1)), bias, depthwise=True)
