"""Comparing the signatures of a model, served or on disk, with the contract in `impasto.client.signatures`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impasto.client._wire import messages
from impasto.client.model import SignatureInfo, TensorInfo
from impasto.client.signatures import CONTRACTS, MODELS, ModelContract, TensorSpec


def read_signatures(definitions: Mapping[str, bytes]) -> dict[str, SignatureInfo]:
    """The signatures that serialized SignatureDefs describe, by name, without TensorFlow's own.

    Raises:
        DecodeError: one of them cannot be parsed.
    """
    return {
        name: messages.signature(name, definition)
        for name, definition in sorted(definitions.items())
        if not messages.is_internal(name)
    }


def contract_of(
    model: str, signatures: Mapping[str, SignatureInfo], *, told: str | None = None
) -> ModelContract | None:
    """Return the contract that a model keeps, or should: what its manifest tells, its name, or its signatures show.

    Args:
        model: its name in the repository.
        signatures: what it serves.
        told: the name of the contract in its manifest, if there is one.

    Returns:
        None for a model that keeps none of Impasto's contracts.
    """
    if told is not None and told in CONTRACTS:
        return CONTRACTS[told]
    if model in MODELS:
        return MODELS[model]
    return next((one for one in CONTRACTS.values() if not differences(one, signatures)), None)


def differences(model: ModelContract, signatures: Mapping[str, SignatureInfo]) -> list[str]:
    """Every way in which `signatures` differ from the contract of `model`; empty if in none.

    Compared are the names of signatures, inputs and outputs, the dtypes, the shapes and the inputs' defaults. Optional
    signatures may be missing, as long as there is one of `one_of`.
    """
    return list(_differences(model, signatures))


def missing(model: ModelContract, signatures: Collection[str]) -> list[str]:
    """The contract's signatures that are not among these names and should be, in words; empty if there are none."""
    needed = [name for name in model.signatures if name not in model.optional]
    found = [f"signature {name!r} is missing" for name in needed if name not in signatures]
    if model.one_of and not model.one_of.intersection(signatures):
        found.append(f"one of the signatures {', '.join(sorted(model.one_of))} is missing")
    return found


def _differences(model: ModelContract, signatures: Mapping[str, SignatureInfo]) -> Iterator[str]:
    yield from missing(model, signatures)
    yield from _unknown("signature", model.signatures, signatures)
    for name, signature in model.signatures.items():
        if name not in signatures:
            continue
        found = signatures[name]
        yield from _names(f"{name}: input", [spec.name for spec in signature.inputs], found.inputs)
        yield from _names(f"{name}: output", [spec.name for spec in signature.outputs], found.outputs)
        for spec in signature.inputs:
            if spec.name in found.inputs:
                where = f"{name}: input {spec.name!r}"
                yield from _tensor(where, spec, found.inputs[spec.name])
                yield from _default(where, spec, found.inputs[spec.name].default)
        for spec in signature.outputs:
            if spec.name in found.outputs:
                yield from _tensor(f"{name}: output {spec.name!r}", spec, found.outputs[spec.name])


def _names(what: str, contract: Collection[str], found: Collection[str]) -> Iterator[str]:
    yield from (f"{what} {name!r} is missing" for name in contract if name not in found)
    yield from _unknown(what, contract, found)


def _unknown(what: str, contract: Collection[str], found: Collection[str]) -> Iterator[str]:
    yield from (f"{what} {name!r} is not in the contract" for name in sorted(found) if name not in contract)


def _tensor(where: str, spec: TensorSpec, found: TensorInfo) -> Iterator[str]:
    if found.dtype != spec.dtype:
        yield f"{where} has dtype {found.dtype}, not {spec.dtype}"
    if found.shape != spec.shape:
        yield f"{where} has shape {_shape(found.shape)}, not {_shape(spec.shape)}"


def _default(where: str, spec: TensorSpec, found: NDArray[Any] | None) -> Iterator[str]:
    if spec.default is None:
        if found is not None:
            yield f"{where} has the default {found.tolist()}, but the contract requires a value"
    elif found is None:
        yield f"{where} has no default, not {spec.default}: give the tf.function's parameter a tf.constant"
    elif not np.array_equal(np.asarray(spec.default, spec.dtype), found):
        yield f"{where} has the default {found.tolist()}, not {spec.default}"


def _shape(shape: tuple[int | None, ...] | None) -> str:
    if shape is None:
        return "of unknown rank"
    return "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"
