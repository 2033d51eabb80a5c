"""The stylizer's ONNX files without their rounding: what the TensorFlow networks must equal."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray


class FloatOnnx:
    """A quantised ONNX model run in float32 by onnxruntime, at any picture size.

    The weights stay as the file has them, integers that are dequantised; only the rounding of intermediate values to
    8 bits is taken out.
    """

    def __init__(self, content: bytes) -> None:
        model = onnx.load_model_from_string(content)
        _without_rounding(model.graph)
        _any_size(model.graph)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # it lists every constant that is no longer used
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def run(self, *inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """The only output."""
        names = [entry.name for entry in self._session.get_inputs()]
        (result,) = self._session.run(None, dict(zip(names, inputs, strict=True)))
        return np.asarray(result, np.float32)


def _without_rounding(graph: Any) -> None:
    constants = {tensor.name for tensor in graph.initializer}
    instead: dict[str, str] = {}
    kept = []
    for node in graph.node:
        rounds = node.op_type == "QuantizeLinear"
        back = node.op_type == "DequantizeLinear" and node.input[0] not in constants
        if rounds or back:
            instead[node.output[0]] = instead.get(node.input[0], node.input[0])
            continue
        for i, name in enumerate(node.input):
            node.input[i] = instead.get(name, name)
        kept.append(node)
    for output in graph.output:
        if output.name in instead:
            kept.append(onnx.helper.make_node("Identity", [instead[output.name]], [output.name]))
    del graph.node[:]
    graph.node.extend(kept)


def _any_size(graph: Any) -> None:
    del graph.value_info[:]
    for value in (*graph.input, *graph.output):
        for i, dim in enumerate(value.type.tensor_type.shape.dim):
            if i in (1, 2) and dim.dim_value > 1:
                dim.dim_param = f"{value.name} {i}"
