"""Checking that no request can change what the next one sees."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Final

from tensorflow.core.framework import types_pb2

# The list of ops that a SavedModel carries leaves out those in nested functions, such as a loop's body, and
# the registry has no public name.
from tensorflow.python.framework import op_def_registry

from impasto.export.contract import SavedModelError, read_meta_graph, signature_defs

# Ops that take a resource and only read it, or that manage the state of one run.
_READS: Final = frozenset(
    {
        "IsVariableInitialized",
        "LookupTableFindV2",
        "LookupTableSizeV2",
        "ReadVariableOp",
        "ResourceGather",
        "ResourceGatherNd",
        "VarIsInitializedOp",
        "VariableShape",
    }
)
_PER_RUN: Final = ("TensorArray", "Stack")


def assert_stateless(directory: str | os.PathLike[str]) -> None:
    """Check that no signature of the SavedModel in `directory` writes a variable or another shared resource.

    A server runs many requests at once over one set of variables: a request that assigned one would change
    the others' results. Loading (initialising, restoring) is not looked at, only what the signatures'
    outputs reach, through every function they call. An op counts as writing when it takes a variable or a
    resource and is not known to only read it.

    Raises:
        SavedModelError: one does; the message names the signature, the function and the op. Or no SavedModel.
    """
    if found := shared_writes(directory):
        raise SavedModelError(
            f"{directory} changes shared state during a request: {'; '.join(found)}. "
            "Carry the state through the signature's inputs and outputs instead"
        )


def shared_writes(directory: str | os.PathLike[str]) -> list[str]:
    """Return every op that `assert_stateless` refuses, with its signature and function; none if there is none.

    Raises:
        SavedModelError: there is no SavedModel.
    """
    meta_graph = read_meta_graph(directory)
    return [
        f"signature {name!r}: {place} runs {node.op} ({node.name})"
        for name, signature in signature_defs(directory).items()
        for place, node in reached_nodes(meta_graph.graph_def, signature)
        if _may_write(node.op)
    ]


def _may_write(name: str) -> bool:
    op = op_def_registry.get(name)
    if op is None or name in _READS or name.startswith(_PER_RUN):
        return False
    return any(argument.is_ref or argument.type == types_pb2.DT_RESOURCE for argument in op.input_arg)


def reached_nodes(graph: Any, signature: Any) -> Iterator[tuple[str, Any]]:
    """Yield every node that a run of `signature` may execute, with the place it is in."""
    nodes = {node.name: node for node in graph.node}
    library = {function.signature.name: function for function in graph.library.function}
    functions: list[str] = []
    waiting = [_node_name(info.name) for info in signature.outputs.values()]
    seen = set(waiting)
    while waiting:
        node = nodes[waiting.pop()]
        yield "the graph", node
        functions.extend(_called(node))
        fresh = {_node_name(source) for source in node.input} - seen
        seen |= fresh
        waiting.extend(fresh)
    seen_functions = set(functions)
    while functions:
        name = functions.pop()
        # An op that is not a function of this graph is a kernel: there is nothing below it.
        for node in library[name].node_def if name in library else ():
            yield f"function {name}", node
            fresh = set(_called(node)) - seen_functions
            seen_functions |= fresh
            functions.extend(fresh)


def _called(node: Any) -> Iterator[str]:
    """The functions that `node` calls: by attribute, or by being named like one."""
    yield node.op
    for attribute in node.attr.values():
        if attribute.HasField("func"):
            yield attribute.func.name
        yield from (function.name for function in attribute.list.func)


def _node_name(tensor: str) -> str:
    """`^a/b`, `a/b:1` and `a/b` all belong to node `a/b`."""
    return tensor.removeprefix("^").split(":")[0]
