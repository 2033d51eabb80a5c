"""Comparing an exported SavedModel with the contract in `impasto.client.signatures`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

from impasto.client.signatures import Model, TensorSpec
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
    except DecodeError as error:
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


def differences(model: Model, signatures: Mapping[str, Any]) -> list[str]:
    """Every way in which the SignatureDefs `signatures` differ from the contract `model`; empty if in none.

    Compared are the names of signatures, inputs and outputs, the dtypes, the shapes and the inputs' defaults.
    """
    return list(_differences(model, signatures))


def check(model: Model, directory: str | os.PathLike[str]) -> None:
    """Check that the SavedModel in `directory` keeps the contract `model`.

    Raises:
        ContractError: it does not.
        SavedModelError: see `read_meta_graph`.
    """
    if found := differences(model, signature_defs(directory)):
        raise ContractError(f"{directory} does not keep the contract of {model.name!r}: " + "; ".join(found))


def _differences(model: Model, signatures: Mapping[str, Any]) -> Iterator[str]:
    yield from _names("signature", model.signatures, signatures)
    for name, signature in model.signatures.items():
        if name not in signatures:
            continue
        exported = signatures[name]
        inputs = {spec.name: spec for spec in signature.inputs}
        outputs = {spec.name: spec for spec in signature.outputs}
        yield from _names(f"{name}: input", inputs, exported.inputs)
        yield from _names(f"{name}: output", outputs, exported.outputs)
        for spec in signature.inputs:
            if spec.name in exported.inputs:
                where = f"{name}: input {spec.name!r}"
                yield from _tensor(where, spec, exported.inputs[spec.name])
                yield from _default(where, spec, exported.defaults)
        for spec in signature.outputs:
            if spec.name in exported.outputs:
                yield from _tensor(f"{name}: output {spec.name!r}", spec, exported.outputs[spec.name])


def _names(what: str, contract: Mapping[str, Any], exported: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"{what} {name!r} is missing" for name in contract if name not in exported)
    yield from (
        f"{what} {name!r} is not in the contract" for name in sorted(exported) if name not in contract
    )


def _tensor(where: str, spec: TensorSpec, exported: Any) -> Iterator[str]:
    dtype = tf.as_dtype(exported.dtype).name
    if dtype != spec.dtype:
        yield f"{where} has dtype {dtype}, not {spec.dtype}"
    shape = None
    if not exported.tensor_shape.unknown_rank:
        shape = tuple(None if dim.size < 0 else dim.size for dim in exported.tensor_shape.dim)
    if shape != spec.shape:
        yield f"{where} has shape {_shape(shape)}, not {_shape(spec.shape)}"


def _default(where: str, spec: TensorSpec, defaults: Mapping[str, Any]) -> Iterator[str]:
    exported = tf.make_ndarray(defaults[spec.name]) if spec.name in defaults else None
    if spec.default is None:
        if exported is not None:
            yield f"{where} has the default {exported.tolist()}, but the contract requires a value"
    elif exported is None:
        yield f"{where} has no default, not {spec.default}: give the tf.function's parameter a tf.constant"
    elif not np.array_equal(np.asarray(spec.default, spec.dtype), exported):
        yield f"{where} has the default {exported.tolist()}, not {spec.default}"


def _shape(shape: tuple[int | None, ...] | None) -> str:
    if shape is None:
        return "of unknown rank"
    return "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"
