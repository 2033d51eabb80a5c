"""From a module to a version in the model repository: saved, checked, warmed up, and described by its manifest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from impasto.client.repository.manifest import Manifest
from impasto.client.signatures import ModelContract
from impasto.export.backbones import Backbone, Weights
from impasto.export.host_ops import host_ops
from impasto.export.repository import ModelRepository, Version
from impasto.export.saved_model import save
from impasto.export.warmup import Request, write_warmup


def publish(
    module: tf.Module,
    functions: Mapping[str, Callable[..., Any]],
    models: Path,
    *,
    contract: ModelContract,
    warm_up: Iterable[Request],
    source: Mapping[str, Any],
    figures: Mapping[str, Any] | None = None,
) -> Version:
    """Export a module as the next version of `contract.name`.

    Args:
        module: holds the variables.
        functions: the functions to serve, by signature.
        models: the model repository.
        contract: what the version must keep.
        warm_up: small requests that a server runs while it loads the version.
        source: where the weights come from, for the manifest.
        figures: what was measured, for the manifest.

    Raises:
        ExportError: the result does not keep the contract, or cannot be written.
    """

    def describe(directory: Path) -> Manifest:
        return Manifest(
            model=contract.name,
            signatures=tuple(functions),
            source=dict(source),
            figures=dict(figures or {}),
            host_ops=host_ops(directory),
        )

    def write(directory: Path) -> None:
        save(module, directory, functions, contract=contract)
        write_warmup(directory, contract.name, warm_up)

    return ModelRepository(models).publish(contract.name, write, manifest=describe)


def backbone_source(backbone: Backbone, weights: Weights) -> dict[str, Any]:
    """Return what the manifest says of the network inside, and of its weights."""
    return {
        "backbone": backbone.architecture.name,
        "weights": weights.provenance.as_dict(),
        "compute": backbone.compute.value,
    }
