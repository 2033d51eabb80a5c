"""Writing out the functions that a graph calls.

TensorFlow's own inlining leaves a call as it is where the function has an operation with an effect that no control
output reaches. Magenta's module checks its numbers in such a function: all of it would stay one opaque node.
"""

from __future__ import annotations

from typing import Any, Final

import tensorflow as tf

# There is no public way from a function's definition to a graph's.
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
