"""From a module to a version in the model repository: saved, checked, warmed up, and described by its manifest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from impasto.client.repository.manifest import Manifest
from impasto.client.signatures import ModelContract
from impasto.export.backbones import Backbone, Weights
from impasto.export.golden import Requests, golden_files, write_golden
from impasto.export.host_ops import check_host_ops, host_ops
from impasto.export.repository import ModelRepository, Version
from impasto.export.saved_model import load_as_server, save
from impasto.export.warmup import Request, write_warmup


@dataclass(frozen=True, eq=False)
class Servable:
    """A module as it is exported: the functions that are served of it, and as which model.

    Attributes:
        module: holds the variables.
        functions: the functions to serve, by signature.
        contract: what the version must keep.
        model: the model's name; the contract's usual one if None.
    """

    module: tf.Module
    functions: Mapping[str, Callable[..., Any]]
    contract: ModelContract
    model: str | None = None


def publish(
    servable: Servable,
    models: Path,
    *,
    warm_up: Iterable[Request],
    golden: Requests,
    source: Mapping[str, Any],
    figures: Mapping[str, Any] | None = None,
    allow_host_ops: bool = False,
) -> Version:
    """Export what is to be served as the next version of a model.

    What was saved is loaded the way TensorFlow Serving loads it, and answers the golden requests, before it becomes a
    version.

    Args:
        servable: what is exported.
        models: the model repository.
        warm_up: small requests that a server runs while it loads the version.
        golden: small requests that are kept with what the version answers, to check servers against.
        source: where the weights come from, for the manifest.
        figures: what was measured, for the manifest.
        allow_host_ops: publish, too, where a server with a GPU would run work on pictures on its processor.

    Raises:
        HostOpsError: a server with a GPU would do so, and `allow_host_ops` is false.
        ExportError: the result does not keep the contract, fails at a request, or cannot be written.
    """

    contract = servable.contract
    name = contract.usual_model if servable.model is None else servable.model

    def describe(directory: Path) -> Manifest:
        ops = host_ops(directory)
        if not allow_host_ops:
            check_host_ops(name, ops)
        return Manifest(
            model=name,
            contract=contract.name,
            signatures=tuple(servable.functions),
            source=dict(source),
            figures=dict(figures or {}),
            golden=golden_files(directory),
            host_ops=ops,
        )

    def write(directory: Path) -> None:
        save(servable.module, directory, servable.functions, contract=contract)
        write_warmup(directory, name, warm_up)
        with load_as_server(directory, optimised=False) as served:
            write_golden(directory, served, golden, where=f"the golden requests for {name!r}")

    return ModelRepository(models).publish(name, write, manifest=describe)


def backbone_source(backbone: Backbone, weights: Weights) -> dict[str, Any]:
    """Return what the manifest says of the network inside, and of its weights."""
    return {
        "backbone": backbone.architecture.name,
        "weights": weights.provenance.as_dict(),
        "compute": backbone.compute.value,
    }
