"""A function of a loaded SavedModel as one flat graph of constants, and the narrow place in it that cuts it in two.

TensorFlow's own inlining leaves a call as it is where the function has an operation with an effect that no control
output reaches. Magenta's module checks its numbers in such a function: all of it would stay one opaque node.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import tensorflow as tf

# There is no public way to inline the functions of a SavedModel's graph, nor from a function's definition to a graph's.
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from tensorflow.python.framework.function_def_to_graph import function_def_to_graph_def

_CALLS: Final = frozenset({"PartitionedCall", "StatefulPartitionedCall"})


def inlined(definition: Any) -> Any:
    """The graph without calls. The order that control inputs ask for is dropped: a frozen graph has no state."""
    functions = {function.signature.name: function for function in definition.library.function}
    library = tf.compat.v1.GraphDef(versions=definition.versions, library=definition.library)
    with tf.Graph().as_default():
        # The functions that a function calls are looked up there.
        tf.graph_util.import_graph_def(library, name="")
        while any(node.op in _CALLS for node in definition.node):
            definition = _with_calls_written_out(definition, functions)
    return definition


def _with_calls_written_out(definition: Any, functions: dict[str, Any]) -> Any:
    """The graph with the bodies of the functions that it calls, in which there may be further calls."""
    graph = tf.compat.v1.GraphDef(versions=definition.versions, library=definition.library)
    results: dict[str, str] = {}
    for node in definition.node:
        if node.op in _CALLS:
            body, outputs = _body(node, functions[node.attr["f"].func.name])
            graph.node.extend(body)
            results.update({f"{node.name}:{index}": output for index, output in enumerate(outputs)})
        else:
            graph.node.add().CopyFrom(node)
    for node in graph.node:
        values = [source for source in node.input if not source.startswith("^")]
        node.input[:] = [results.get(_with_index(source), source) for source in values]
    return graph


def _body(call: Any, function: Any) -> tuple[list[Any], list[str]]:
    """The nodes of `function` for the node `call`, and the tensors that it gives, named after the call."""
    body, flat_names = function_def_to_graph_def(function)
    arguments = [source for source in call.input if not source.startswith("^")]
    given = dict(zip((argument.name for argument in function.signature.input_arg), arguments, strict=True))
    nodes = []
    for node in body.node:
        if node.name in given:
            node.op = "Identity"
            dtype = node.attr["dtype"].type
            node.attr.clear()
            node.attr["T"].type = dtype
            node.input[:] = [given[node.name]]
        else:
            node.input[:] = [f"{call.name}/{source}" for source in node.input if not source.startswith("^")]
        node.name = f"{call.name}/{node.name}"
        nodes.append(node)
    returned = [flat_names[function.ret[output.name]] for output in function.signature.output_arg]
    return nodes, [f"{call.name}/{name}" for name in returned]


def _with_index(tensor: str) -> str:
    """The full name of a tensor: `a` is the output 0 of the node `a`."""
    return tensor if ":" in tensor else f"{tensor}:0"


class FrozenFunction:
    """A concrete function of float32 pictures with its variables as constants and its inner functions inlined.

    Args:
        function: takes its inputs by name and gives one output.
    """

    def __init__(self, function: Any) -> None:
        frozen = convert_variables_to_constants_v2(function)
        self._definition = inlined(frozen.graph.as_graph_def())
        self._graph = tf.Graph()
        with self._graph.as_default():
            tf.graph_util.import_graph_def(self._definition, name="")
        self._inputs = {
            tensor.op.name: self._graph.get_tensor_by_name(tensor.name) for tensor in frozen.inputs
        }
        (output,) = frozen.outputs
        self._output = self._graph.get_tensor_by_name(output.name)

    def between(self, inputs: Iterable[str], output: str | None = None) -> Callable[..., tf.Tensor]:
        """The part of the graph from the tensors `inputs` to the tensor `output`; None is the function's own.

        Returns:
            A `tf.function` of the inputs' values, in order: however many signatures call it, an export holds its
            constants once.
        """
        feeds, fetch = list(inputs), output or self._output.name
        part = _between(self._definition, set(feeds), fetch)

        def run(*values: tf.Tensor) -> tf.Tensor:
            fed = dict(zip(feeds, values, strict=True))
            return tf.graph_util.import_graph_def(part, fed, [fetch], name="part")[0]

        specs = [tf.TensorSpec(self.shape(feed), tf.float32) for feed in feeds]
        return tf.function(run, input_signature=specs, autograph=False)

    def input(self, name: str) -> str:
        """The tensor of the input `name`. KeyError if there is none."""
        return str(self._inputs[name].name)

    def shape(self, tensor: str) -> tf.TensorShape:
        """A tensor's shape, as far as it is known."""
        return self._graph.get_tensor_by_name(tensor).shape

    def waist(self, source: str, other: str) -> str | None:
        """The smallest tensor [?, ..., N] that all of the output's dependence on `source` passes through.

        Args:
            source: the name of the input that the tensor must sum up.
            other: the name of the input that it must not depend on.

        Returns:
            The tensor's name; of equally small ones the last, so that a bias is in. None if there is no such tensor.
        """
        start, avoid = self._inputs[source].op, self._inputs[other].op
        from_other = _downstream(avoid)
        found: list[tuple[int, str]] = []
        for operation in _downstream(start).values():
            if operation is start or operation.name in from_other or len(operation.outputs) != 1:
                continue
            size = _numbers_each(operation.outputs[0])
            if size is not None and self._output.op.name not in _downstream(start, without=operation.name):
                found.append((size, operation.outputs[0].name))
        return min(reversed(found), key=lambda entry: entry[0])[1] if found else None


def _downstream(start: Any, *, without: str | None = None) -> Mapping[str, Any]:
    """The operations that depend on `start`, itself included, in the order they are reached."""
    seen = {start.name: start}
    waiting = [start]
    while waiting:
        operation = waiting.pop(0)
        for tensor in operation.outputs:
            for consumer in tensor.consumers():
                if consumer.name not in seen and consumer.name != without:
                    seen[consumer.name] = consumer
                    waiting.append(consumer)
    return seen


def _numbers_each(tensor: tf.Tensor) -> int | None:
    """The number of float32 numbers for each element of a tensor's first dimension, if only that one is open."""
    shape = tensor.shape
    if tensor.dtype != tf.float32 or shape.rank is None or shape.rank < 2:
        return None
    if shape[0] is not None or not shape[1:].is_fully_defined():
        return None
    return math.prod(shape[1:].as_list())


def _between(definition: Any, feeds: set[str], fetch: str) -> Any:
    """The nodes that `fetch` needs once the tensors `feeds` are given; those that make the feeds are left out.

    The order that control inputs ask for is dropped with them: a frozen graph has no state that it could matter to.
    """
    nodes = {node.name: node for node in definition.node}
    kept = {_node_name(feed) for feed in feeds}
    waiting = [_node_name(fetch)]
    pruned = tf.compat.v1.GraphDef(versions=definition.versions, library=definition.library)
    while waiting:
        name = waiting.pop()
        if name not in kept:
            kept.add(name)
            node = pruned.node.add()
            node.CopyFrom(nodes[name])
            values = [source for source in node.input if not source.startswith("^")]
            node.input[:] = values
            waiting.extend(map(_node_name, values))
    return pruned


def _node_name(tensor: str) -> str:
    """`a/b:1` and `a/b` both belong to node `a/b`."""
    return tensor.split(":")[0]
