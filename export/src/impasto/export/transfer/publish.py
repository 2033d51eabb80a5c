"""From VGG19's weights to a version of `transfer` in the model repository."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

from impasto.client.manifest import Manifest
from impasto.client.signatures import SERVING_DEFAULT, TRANSFER
from impasto.export.backbones import VGG19, Weights
from impasto.export.repository import ModelRepository, Version
from impasto.export.saved_model import save
from impasto.export.transfer.network import MINIMUM_SIDE, Network
from impasto.export.transfer.served import Transfer
from impasto.export.warmup import Request, write_warmup


def publish(weights: Weights, models: Path, *, compute: str = "float32") -> Version:
    """Export style transfer on VGG19 as the next version of `transfer`.

    The manifest says which weights are inside.

    Args:
        weights: VGG19's.
        models: the model repository.
        compute: `float32`, or `bfloat16` for the network; the picture and the losses are float32 in any case.

    Raises:
        ExportError: the weights do not fit, or the result does not keep the contract.
    """
    transfer = Transfer(
        Network(weights.arrays, compute=tf.as_dtype(compute)), weights=str(weights.provenance)
    )
    manifest = Manifest(
        model=TRANSFER.name,
        signatures=tuple(TRANSFER.signatures),
        source={"backbone": VGG19.name, "weights": weights.provenance.as_dict(), "compute": compute},
    )

    def write(directory: Path) -> None:
        save(transfer, directory, transfer.functions, contract=TRANSFER)
        write_warmup(directory, TRANSFER.name, warmup_requests(transfer))

    return ModelRepository(models).publish(TRANSFER.name, write, manifest=manifest)


def warmup_requests(transfer: Transfer) -> list[Request]:
    """One small request for each signature, with the layers that are taken when a request names none."""
    side = MINIMUM_SIDE
    picture = np.zeros((side, side, 3), np.uint8)
    image = np.zeros((side, side, 3), np.float32)
    opened = transfer.functions["open"](content=picture, style=picture)
    targets = {name: opened[name].numpy() for name in ("style_targets", "content_targets")}
    return [
        ("describe", {}),
        ("open", {"content": picture, "style": picture}),
        ("open_style", {"style": picture}),
        ("optimize", {"image": image, "m": image, "v": image, "steps": 1, **targets}),
        ("resize", {"image": image, "size": [side, side]}),
        ("close", {"image": image}),
        (SERVING_DEFAULT, {"content": picture, "style": picture, "steps": 1}),
    ]
