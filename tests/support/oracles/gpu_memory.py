"""Where a GPU would keep each tensor of an exported graph, by TensorFlow's own registry of kernels.

A kernel says which of its inputs and outputs are in the host's memory; all others are in the card's. Between functions,
int32 is in the host's. Where a tensor is not where its reader wants it, TensorFlow copies it, and one waits for the
other.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from tensorflow.core.framework import types_pb2

# Neither has a public name.
from tensorflow.python.framework import kernels, op_def_registry

from impasto.export.contract import read_meta_graph, signature_defs
from impasto.export.stateless import reached_nodes

_CALLS: Final = frozenset(
    {
        *("Case", "If", "StatelessCase", "StatelessIf", "StatelessWhile", "While"),
        *("PartitionedCall", "StatefulPartitionedCall"),
    }
)
_CHOICES: Final = ("branch_index", "cond")
_NO_NUMBERS: Final = (types_pb2.DT_RESOURCE, types_pb2.DT_STRING, types_pb2.DT_VARIANT)


def skip_without_gpu_kernels() -> None:
    """Skip the test where TensorFlow has no GPU kernels registered."""
    found = kernels.get_registered_kernels_for_op("Conv2D").kernel
    if not any(kernel.device_type == "GPU" for kernel in found):
        pytest.skip(
            "this TensorFlow is built without GPU kernels, so that it cannot tell what a GPU runs, and where"
        )


class GraphOnAGpu:
    """The functions of the SavedModel in `directory` as a server with a GPU would run them."""

    def __init__(self, directory: Path) -> None:
        self._graph = read_meta_graph(directory).graph_def
        self._library = {function.signature.name: function for function in self._graph.library.function}
        self._signatures = signature_defs(directory)

    def copies_in_loops(self, signature: str) -> set[str]:
        """Say of each tensor in a loop, or in what it calls, that is copied between host and card: where and which."""
        reached = reached_nodes(self._graph, self._signatures[signature])
        loops = [node.attr["body"].func.name for _, node in reached if node.op in ("While", "StatelessWhile")]
        found: set[str] = set()
        seen = set(loops)
        while loops:
            name = loops.pop()
            found |= set(self._copies(self._library[name]))
            called = {other for node in self._library[name].node_def for other in _called(node)} - seen
            loops += [other for other in called if other in self._library]
            seen |= called
        return found

    def _copies(self, function: Any) -> Iterator[str]:
        arguments = {each.name: each.type for each in function.signature.input_arg}
        nodes = {node.name: node for node in function.node_def}

        def on_host(tensor: str) -> bool:
            name, _, rest = tensor.partition(":")
            if name in arguments:
                return bool(arguments[name] == types_pb2.DT_INT32)
            output, _, index = rest.partition(":")
            source = nodes[name]
            if source.op in _CALLS:
                types = [t for n, t in _tensors(source, "output_arg") if n == output]
                return bool(types[int(index)] == types_pb2.DT_INT32)
            return _on_host(source, output)

        for node in function.node_def:
            tensors = [name for name in node.input if not name.startswith("^")]
            for (name, dtype), tensor in zip(_tensors(node, "input_arg"), tensors, strict=True):
                if dtype in _NO_NUMBERS:
                    continue
                passed = name in _CHOICES or dtype == types_pb2.DT_INT32
                wanted = passed if node.op in _CALLS else _on_host(node, name)
                if wanted != on_host(tensor):
                    yield f"{function.signature.name}: {node.op} {node.name} reads {tensor}"
            if node.op in ("If", "StatelessIf"):
                # As it is run, the condition chooses by being sent through a Switch of its own.
                yield f"{function.signature.name}: {node.op} {node.name} sends its condition to the card"


def _called(node: Any) -> Iterator[str]:
    for name, attribute in node.attr.items():
        if name == "cond":  # of a loop: a comparison, whose result is read where it is made
            continue
        if attribute.HasField("func"):
            yield attribute.func.name
        yield from (function.name for function in attribute.list.func)


def _tensors(node: Any, which: str) -> list[tuple[str, int]]:
    """The name and dtype of each tensor that a node reads or gives."""
    found: list[tuple[str, int]] = []
    for argument in getattr(op_def_registry.get(node.op), which):
        if argument.type_list_attr:
            found += [(argument.name, t) for t in _attribute(node, argument.type_list_attr).list.type]
            continue
        dtype = _attribute(node, argument.type_attr).type if argument.type_attr else argument.type
        count = _attribute(node, argument.number_attr).i if argument.number_attr else 1
        found += [(argument.name, dtype)] * count
    return found


def _attribute(node: Any, name: str) -> Any:
    """An attribute's value, which an exporter leaves out where it is the default."""
    if name in node.attr:
        return node.attr[name]
    return next(each.default_value for each in op_def_registry.get(node.op).attr if each.name == name)


def _on_host(node: Any, tensor: str) -> bool:
    """Whether an input or output of a node is in the host's memory; all are where no GPU runs it."""
    if "CPU" in node.device:
        return True
    for kernel in kernels.get_registered_kernels_for_op(node.op).kernel:
        if kernel.device_type in ("GPU", "DEFAULT") and not kernel.label:
            limits = kernel.constraint
            if all(_attribute(node, limit.name).type in limit.allowed_values.list.type for limit in limits):
                return tensor in kernel.host_memory_arg
    return True
