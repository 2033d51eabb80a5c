"""Where TensorFlow would transpose what a network computes, on a GPU: by its own graph optimiser.

Convolutions that have a gradient it computes with the channels before the places, on a GPU; all that knows only the
other layout, such as a call of a function, is put between two transpositions. The optimiser needs no GPU for that, only
the word that there is one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tensorflow.core.protobuf import config_pb2, device_properties_pb2

# Neither has a public name.
from tensorflow.python.grappler import cluster, tf_optimizer

from impasto.export.contract import read_meta_graph

_CPU: Final = "/job:localhost/replica:0/task:0/device:CPU:0"
_GPU: Final = "/job:localhost/replica:0/task:0/device:GPU:0"
_NETWORK: Final = frozenset(
    {"Conv2D", "_FusedConv2D", "Conv2DBackpropInput", "Relu", "ReluGrad", "MaxPool", "MaxPoolGrad"}
)


def transposed_for(directory: Path, signature: str) -> set[str]:
    """The operations of a network, and of its gradient, that read a transposition, as the optimiser leaves them.

    Args:
        directory: a SavedModel.
        signature: one of its signatures.
    """
    functions = _optimised(directory, signature).library.function
    return {name for function in functions for name in _readers(function.node_def)}


def _readers(nodes: Any) -> Iterator[str]:
    by_name = {node.name: node for node in nodes}
    for node in nodes:
        if node.op in _NETWORK:
            sources = [by_name.get(name.partition(":")[0].lstrip("^")) for name in node.input]
            if any(source is not None and source.op == "Transpose" for source in sources):
                yield f"{node.op} {node.name}"


def _optimised(directory: Path, signature: str) -> Any:
    meta = read_meta_graph(directory)
    definition = meta.signature_def[signature]
    meta.collection_def.clear()
    wanted = meta.collection_def["train_op"].node_list.value
    wanted.extend(info.name for info in definition.outputs.values())
    for other in set(meta.signature_def) - {signature}:
        del meta.signature_def[other]
    # A server leaves these for later, and optimises them one by one when they are called.
    for function in meta.graph_def.library.function:
        function.attr.pop("_tf_data_function", None)
    # It places what it has inlined, and then optimises it.
    meta.graph_def.CopyFrom(_by_grappler(meta, ["function"]))
    for function in meta.graph_def.library.function:
        for node in function.node_def:
            node.device = _GPU
    return _by_grappler(meta, [])


def _by_grappler(meta: Any, optimisers: list[str]) -> Any:
    """The graph after these optimisers, or all that a server has."""
    config = config_pb2.ConfigProto()
    config.graph_options.rewrite_options.min_graph_nodes = -1
    config.graph_options.rewrite_options.optimizers.extend(optimisers)
    return tf_optimizer.OptimizeGraph(config, meta, cluster=cluster.Cluster(devices=list(_devices())))


def _devices() -> Iterator[Any]:
    for kind, name in (("CPU", _CPU), ("GPU", _GPU)):
        properties = device_properties_pb2.DeviceProperties(type=kind, frequency=1000, num_cores=4)
        properties.environment["architecture"] = "9.0"
        yield device_properties_pb2.NamedDevice(name=name, properties=properties)
