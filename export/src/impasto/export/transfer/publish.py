"""From VGG19's weights to a version of `transfer` in the model repository."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from impasto.client.signatures import SERVING_DEFAULT, TRANSFER
from impasto.export import publishing
from impasto.export.backbones import VGG19, Backbone, Weights
from impasto.export.compute import Compute
from impasto.export.golden import Requests
from impasto.export.repository import Version
from impasto.export.sample import painting, photo
from impasto.export.transfer.served import Transfer
from impasto.export.warmup import Request


def publish(
    weights: Weights,
    models: Path,
    *,
    compute: Compute = Compute.FLOAT32,
    allow_host_ops: bool = False,
) -> Version:
    """Export style transfer on VGG19 as the next version of `transfer`.

    The manifest says which weights are inside.

    Args:
        weights: VGG19's.
        models: the model repository.
        compute: what the network computes in; the picture and the losses are float32 in any case.
        allow_host_ops: see `publishing.publish`.

    Raises:
        ExportError: the weights do not fit, or `publishing.publish` refuses the result.
    """
    backbone = Backbone(VGG19, weights.arrays, compute=compute)
    transfer = Transfer(backbone, weights=str(weights.provenance))
    source = publishing.backbone_source(backbone, weights)
    return publishing.publish(
        publishing.Servable(transfer, transfer.functions, TRANSFER),
        models,
        warm_up=warm_up(transfer),
        golden=golden_requests(backbone),
        source=source,
        allow_host_ops=allow_host_ops,
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


def golden_requests(backbone: Backbone) -> Requests:
    """Make requests of each signature.

    Adam's first steps move a pixel by the learning rate whatever the size of its gradient: where that is nearly zero,
    another processor may step the other way. So the steps are short. All layers that are taken when a request names
    none are in `serving_default`; the Gram matrices of the deeper ones are too large for a small record.
    """
    side = max(backbone.architecture.minimum_side, 19)
    content, style = photo(side, side + 8), painting(side + 4, side)
    steps = {"steps": 2, "learning_rate": 0.005}
    narrow = {"style_layer_weights": np.zeros(len(backbone.architecture.layers), np.float32)}
    narrow["style_layer_weights"][:2] = 0.75, 0.25
    yield "describe", {"size": [480, 641], "longest_side": 257}
    yield SERVING_DEFAULT, {"content": content, "style": style, **steps}
    yield "open_style", {"style": style, "style_size": [side + 2, side], **narrow}
    opened = yield "open", {"content": content, "style": style, "size": [side, side + 2], **narrow}
    image = opened["image"]
    # The photo upside down: of the photo itself the content's loss would be a difference of equal numbers, of which a
    # card that multiplies in TF32 makes noise.
    start = {**opened, "image": image[::-1], "m": np.zeros_like(image), "v": np.zeros_like(image), **narrow}
    yield "optimize", {**start, "steps": 0}
    yield "optimize", {**start, **steps}
    yield "resize", {"image": image, "size": [side + 6, side - 2]}
    yield "close", {"image": image, "size": [side - 4, side + 4]}
