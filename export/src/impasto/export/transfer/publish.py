"""From VGG19's weights to a version of `transfer` in the model repository."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from impasto.client.signatures import SERVING_DEFAULT, TRANSFER
from impasto.export import publishing
from impasto.export.backbones import VGG19, Backbone, Weights
from impasto.export.compute import Compute
from impasto.export.repository import Version
from impasto.export.transfer.served import Transfer
from impasto.export.warmup import Request


def publish(weights: Weights, models: Path, *, compute: Compute = Compute.FLOAT32) -> Version:
    """Export style transfer on VGG19 as the next version of `transfer`.

    The manifest says which weights are inside.

    Args:
        weights: VGG19's.
        models: the model repository.
        compute: what the network computes in; the picture and the losses are float32 in any case.

    Raises:
        ExportError: the weights do not fit, or the result does not keep the contract.
    """
    backbone = Backbone(VGG19, weights.arrays, compute=compute)
    transfer = Transfer(backbone, weights=str(weights.provenance))
    source = publishing.backbone_source(backbone, weights)
    return publishing.publish(
        transfer, transfer.functions, models, contract=TRANSFER, warm_up=warm_up(transfer), source=source
    )


def warm_up(transfer: Transfer) -> list[Request]:
    """Return one small request for each signature, with the layers that are taken when a request names none."""
    side = VGG19.minimum_side
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
