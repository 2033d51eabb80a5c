"""From a backbone's weights to a version of `dream` in the model repository."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from impasto.client.manifest import Manifest
from impasto.client.signatures import DREAM, SERVING_DEFAULT
from impasto.export.backbones import Architecture, Backbone, Weights
from impasto.export.compute import Compute
from impasto.export.dream.served import DeepDream
from impasto.export.dream.settings import SETTINGS
from impasto.export.repository import ModelRepository, Version
from impasto.export.saved_model import save
from impasto.export.warmup import Request, write_warmup


def publish(
    architecture: Architecture,
    weights: Weights,
    models: Path,
    *,
    fold: bool = True,
    compute: Compute = Compute.FLOAT32,
) -> Version:
    """Export DeepDream on a network as the next version of `dream`.

    The manifest says which network and which weights are inside.

    Args:
        architecture: InceptionV3 or VGG19.
        weights: of that network.
        models: the model repository.
        fold: fold batch normalisation into the convolutions.
        compute: what the network computes in.

    Raises:
        ExportError: the weights do not fit, or the result does not keep the contract.
    """
    settings = SETTINGS[architecture.name]
    network = Backbone(architecture, weights.arrays, fold=fold, compute=compute)
    origin = str(weights.provenance)
    if compute is not Compute.FLOAT32:
        origin += f"; computes in {compute.value}"
    dream = DeepDream(network, settings, weights=origin)
    source = {
        "backbone": architecture.name,
        "weights": weights.provenance.as_dict(),
        "compute": compute.value,
    }
    if architecture.normalised:
        source["batch_normalisation"] = "folded" if fold else "kept"
    manifest = Manifest(model=DREAM.name, signatures=tuple(DREAM.signatures), source=source)

    def write(directory: Path) -> None:
        save(dream, directory, dream.functions, contract=DREAM)
        write_warmup(directory, DREAM.name, warmup_requests(architecture))

    return ModelRepository(models).publish(DREAM.name, write, manifest=manifest)


def warmup_requests(architecture: Architecture) -> list[Request]:
    """One small request for each signature, with the layers that are taken when a request names none."""
    side = architecture.minimum_side
    image = np.zeros((side, side, 3), np.uint8)
    state = np.zeros((side, side, 3), np.float32)
    once = {"steps": 1}
    return [
        ("describe", {}),
        ("open", {"image": image, "size": [side, side]}),
        (SERVING_DEFAULT, {"image": image, "octaves": [0], **once}),
        ("ascend", {"state": state, **once}),
        ("ascend_guided", {"state": state, "guide": image, **once}),
        ("close", {"state": state, "size": [side, side]}),
    ]
