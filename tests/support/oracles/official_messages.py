"""The official messages less the fields that the client does not read, for comparing readers on damaged bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SKIPPED: Final[Mapping[str, frozenset[str]]] = {
    "TensorProto": frozenset({"resource_handle_val", "variant_val"}),
    "TensorInfo": frozenset({"coo_sparse", "composite_tensor"}),
}
"""Fields that the client skips as it skips unknown ones."""


def official_class(file: Any, name: str, *, maps: bool) -> Any:
    """Make the class of a message in a pool of its own.

    Args:
        file: the descriptor of the file that defines it.
        name: the message's full name.
        maps: whether maps are maps, or the repeated entries that they are on the wire: Python's protobuf loses a map's
            entry that holds an unknown field besides, while C++ keeps it, as the documentation of maps wants it.
    """
    pool = descriptor_pool.DescriptorPool()
    added: set[str] = set()

    def add(file: Any) -> None:
        if file.name in added:
            return
        added.add(file.name)
        for dependency in file.dependencies:
            add(dependency)
        proto = descriptor_pb2.FileDescriptorProto()
        file.CopyToProto(proto)
        for kind in proto.message_type:
            kept = [held for held in kind.field if held.name not in SKIPPED.get(kind.name, ())]
            del kind.field[:]
            kind.field.extend(kept)
            for nested in kind.nested_type:
                nested.options.map_entry = nested.options.map_entry and maps
        pool.Add(proto)

    add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))
