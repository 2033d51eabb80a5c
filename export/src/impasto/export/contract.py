"""Comparing an exported SavedModel with the contract in `impasto.client.signatures`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from google.protobuf import message
from tensorflow.core.protobuf import saved_model_pb2

from impasto.client.errors import DecodeError
from impasto.client.repository import contract
from impasto.client.signatures import ModelContract
from impasto.export.errors import ExportError

SERVE_TAG: Final = "serve"
"""The tag of the graph that TensorFlow Serving loads."""

# What tf.saved_model.save adds to the signatures for its own use.
_INTERNAL: Final = "__saved_model"


class SavedModelError(ExportError):
    """A directory that is not a SavedModel a server could load, or one that it must not serve."""


class ContractError(ExportError):
    """An export that differs from the contract; the message lists every difference."""


def read_meta_graph(directory: str | os.PathLike[str]) -> Any:
    """The MetaGraphDef that a server loads from the SavedModel in `directory`, parsed but not loaded.

    Raises:
        SavedModelError: no SavedModel is there, it is damaged, or it has no graph with the tag `serve`.
    """
    path = Path(directory) / "saved_model.pb"
    try:
        model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    except FileNotFoundError as error:
        raise SavedModelError(f"{path} is missing: name the directory of a SavedModel") from error
    except message.DecodeError as error:
        raise SavedModelError(f"{path} is damaged ({error}): export the model again") from error
    for graph in model.meta_graphs:
        if SERVE_TAG in graph.meta_info_def.tags:
            return graph
    raise SavedModelError(f"{path} has no graph with the tag {SERVE_TAG!r}: export it for serving")


def signature_defs(directory: str | os.PathLike[str]) -> dict[str, Any]:
    """The SignatureDefs, by name, of the SavedModel in `directory`.

    Raises:
        SavedModelError: see `read_meta_graph`.
    """
    found = read_meta_graph(directory).signature_def
    return {name: found[name] for name in sorted(found) if not name.startswith(_INTERNAL)}


def differences(model: ModelContract, signatures: Mapping[str, Any]) -> list[str]:
    """Every way in which the SignatureDefs `signatures` differ from the contract `model`; empty if in none.

    Raises:
        SavedModelError: one of them cannot be read.
    """
    serialized = {name: definition.SerializeToString() for name, definition in signatures.items()}
    try:
        return contract.differences(model, contract.read_signatures(serialized))
    except DecodeError as error:
        raise SavedModelError(
            f"a signature of {model.name!r} is damaged ({error}): export it again"
        ) from error


def check(model: ModelContract, directory: str | os.PathLike[str]) -> None:
    """Check that the SavedModel in `directory` keeps the contract `model`.

    Raises:
        ContractError: it does not.
        SavedModelError: see `read_meta_graph`.
    """
    if found := differences(model, signature_defs(directory)):
        raise ContractError(f"{directory} does not keep the contract of {model.name!r}: " + "; ".join(found))
