"""A transfer model that exports in seconds and steps in milliseconds: VGG19 with few layers and filters, random.

A server builds a graph for each layer that a request may name, which takes ten times as long as the steps of a test's
job: so the model has no layer but those that are taken when a request names none, and those of the recipes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impasto.client.signatures import TRANSFER
from impasto.export.backbones import Architecture, Backbone
from impasto.export.backbones.vgg19 import block_of, with_filters
from impasto.export.checks import Limits
from impasto.export.compute import Compute
from impasto.export.saved_model import save
from impasto.export.transfer.served import Transfer
from servers.model_servers import serving
from servers.official_stubs import official_client, outputs

FILTERS = (4, 6, 8, 10, 12)
"""The filters of each block."""

ARCHITECTURE = with_filters(*FILTERS, convolutions=(1, 1, 1, 2, 2))
WHOLE_ARCHITECTURE = with_filters(*FILTERS)
"""The same with all layers of VGG19, for what is computed in the test's own process."""

LAYERS = ARCHITECTURE.layers

WEIGHTS = "random, for tests"
LIMITS = Limits(minimum_side=16, maximum_steps=60, maximum_pixels=20_000)
LAYER_COUNT = len(LAYERS)


def tiny_arrays(
    seed: int = 0, *, architecture: Architecture = ARCHITECTURE
) -> dict[str, NDArray[np.float32]]:
    """Kernels that keep the activations' size, and small biases, for each layer."""
    rng = np.random.default_rng(seed)
    arrays: dict[str, NDArray[np.float32]] = {}
    below = 3
    for name in architecture.layers:
        filters = FILTERS[block_of(name) - 1]
        deviation = np.sqrt(2 / (9 * below))
        arrays[f"{name}/kernel"] = rng.normal(0, deviation, (3, 3, below, filters)).astype(np.float32)
        arrays[f"{name}/bias"] = rng.normal(0, 1, filters).astype(np.float32)
        below = filters
    return arrays


def tiny_backbone(
    arrays: dict[str, NDArray[np.float32]] | None = None,
    *,
    architecture: Architecture = ARCHITECTURE,
    compute: Compute = Compute.FLOAT32,
) -> Backbone:
    """The network."""
    return Backbone(architecture, arrays or tiny_arrays(architecture=architecture), compute=compute)


def tiny_transfer(arrays: dict[str, NDArray[np.float32]] | None = None) -> Transfer:
    """The served model, in this process."""
    return Transfer(tiny_backbone(arrays), weights=WEIGHTS, limits=LIMITS)


def write_transfer(
    root: Path, version: int = 1, *, arrays: dict[str, NDArray[np.float32]] | None = None
) -> Path:
    """Write `<root>/transfer/<version>`."""
    module = tiny_transfer(arrays)
    directory = root / TRANSFER.name / str(version)
    save(module, directory, module.functions, contract=TRANSFER)
    return directory


def layer_weights(**weights: float) -> NDArray[np.float32]:
    """One number for each candidate layer, zero where none is given."""
    return weights_of(LAYERS, **weights)


def weights_of(layers: Sequence[str], **weights: float) -> NDArray[np.float32]:
    """One number for each of these layers, zero where none is given."""
    assert weights.keys() <= set(layers)
    return np.array([weights.get(name, 0.0) for name in layers], np.float32)


class TransferCalls:
    """Calls to a served transfer model through the official stubs, by the contract's names and dtypes."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def predict(self, signature: str, **inputs: Any) -> dict[str, Any]:
        """The outputs of one call."""
        specs = {spec.name: spec for spec in TRANSFER.signatures[signature].inputs}
        arrays = {name: np.asarray(value, specs[name].dtype) for name, value in inputs.items()}
        return outputs(self._client.predict({"name": TRANSFER.name, "signature_name": signature}, arrays))

    def begin(self, opened: dict[str, Any], image: Any = None) -> dict[str, Any]:
        """What a first `optimize` takes: where to start (the content, unless given), moments and targets."""
        start = opened["image"] if image is None else image
        nothing = np.zeros_like(start)
        return {**opened, "image": start, "m": nothing, "v": nothing, "iteration": 0}

    def go_on(self, job: dict[str, Any], steps: int, **settings: Any) -> dict[str, Any]:
        """The job after `steps` more, with its losses."""
        return {**job, **self.predict("optimize", steps=steps, **_inputs(job), **settings)}


@contextmanager
def serve_transfer(models: Path, *, warm_up: bool = True) -> Iterator[TransferCalls]:
    """Serve the repository."""
    with (
        serving("local", models, enable_model_warmup=str(warm_up).lower()) as server,
        official_client(server.address) as client,
    ):
        yield TransferCalls(client)


def _inputs(job: dict[str, Any]) -> dict[str, Any]:
    names = {spec.name for spec in TRANSFER.signatures["optimize"].inputs}
    return {name: value for name, value in job.items() if name in names}
