"""From the contract to `tf.function`s: names, dtypes, shapes and defaults are written once, in the contract."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from impasto.client.signatures import ModelContract, Signature, TensorSpec

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
