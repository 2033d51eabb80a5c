"""The contract of `impasto.client.signatures`: as `tf.function`s of a module, and against an exported SavedModel."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow as tf
from google.protobuf import message
from tensorflow.core.protobuf import saved_model_pb2

from impasto.client.errors import DecodeError
from impasto.client.repository import contract
from impasto.client.signatures import ModelContract, Signature, TensorSpec
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


Tensors = dict[str, tf.Tensor]

Computation = Callable[[Tensors], Tensors]
"""From a signature's inputs to its outputs, both by name."""


def contract_functions(model: ModelContract, computations: Mapping[str, Computation]) -> dict[str, Any]:
    """A `tf.function` for each signature of `model` in `computations`: see `contract_function`."""
    return {
        name: contract_function(model.signatures[name], compute) for name, compute in computations.items()
    }


def contract_function(signature: Signature, compute: Computation) -> Any:
    """A `tf.function` that `impasto.export.saved_model.save` writes as `signature`, with its defaults.

    A server feeds tensors of any shape, whatever the signature says, so each is checked when the graph runs.

    Args:
        signature: a signature of the contract.
        compute: what it computes.
    """
    # Only a parameter whose default is a tensor becomes a default of the SignatureDef.
    parameters = [
        inspect.Parameter(spec.name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=_default(spec))
        for spec in signature.inputs
    ]
    bound = inspect.Signature(parameters)

    def serve(*args: tf.Tensor, **kwargs: tf.Tensor) -> Tensors:
        given = bound.bind(*args, **kwargs).arguments
        inputs = {spec.name: tf.ensure_shape(given[spec.name], spec.shape) for spec in signature.inputs}
        return compute(inputs)

    serve.__signature__ = bound  # type: ignore[attr-defined]
    serve.__name__ = signature.name
    return tf.function(
        serve,
        autograph=False,
        input_signature=[tf.TensorSpec(spec.shape, spec.dtype, name=spec.name) for spec in signature.inputs],
    )


def open_list(values: Any) -> tf.Tensor:
    """A constant [n] whose length the signature leaves free, because it differs from model to model."""
    return tf.raw_ops.PlaceholderWithDefault(input=tf.constant(values), shape=[None])


def _default(spec: TensorSpec) -> Any:
    if spec.default is None:
        return inspect.Parameter.empty
    return tf.constant(np.asarray(spec.default, spec.dtype))
