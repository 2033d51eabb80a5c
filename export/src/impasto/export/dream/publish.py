"""From a backbone's weights to a version of `dream` in the model repository."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from impasto.client.signatures import DREAM, SERVING_DEFAULT
from impasto.export import publishing
from impasto.export.backbones import Architecture, Backbone, Weights
from impasto.export.compute import Compute
from impasto.export.dream.limits import SUGGESTIONS
from impasto.export.dream.served import DeepDream
from impasto.export.golden import Requests
from impasto.export.repository import Version
from impasto.export.sample import painting, photo
from impasto.export.warmup import Request


def publish(
    architecture: Architecture,
    weights: Weights,
    models: Path,
    *,
    fold: bool = True,
    compute: Compute = Compute.FLOAT32,
    allow_host_ops: bool = False,
) -> Version:
    """Export DeepDream on a network as the next version of `dream`.

    The manifest says which network and which weights are inside.

    Args:
        architecture: InceptionV3 or VGG19.
        weights: the network's.
        models: the model repository.
        fold: fold batch normalisation into the convolutions.
        compute: what the network computes in.
        allow_host_ops: see `publishing.publish`.

    Raises:
        ExportError: the weights do not fit, or `publishing.publish` refuses the result.
    """
    backbone = Backbone(architecture, weights.arrays, fold=fold, compute=compute)
    origin = str(weights.provenance)
    if compute is not Compute.FLOAT32:
        origin += f"; computes in {compute.value}"
    dream = DeepDream(backbone, SUGGESTIONS[architecture.name], weights=origin)
    source = publishing.backbone_source(backbone, weights)
    if architecture.normalised:
        source["batch_normalisation"] = "folded" if fold else "kept"
    return publishing.publish(
        publishing.Servable(dream, dream.functions, DREAM),
        models,
        warm_up=warm_up(architecture),
        golden=golden_requests(architecture),
        source=source,
        allow_host_ops=allow_host_ops,
    )


def warm_up(architecture: Architecture) -> list[Request]:
    """Return one small request for each signature, with the layers that are taken when a request names none."""
    side = architecture.minimum_side
    image = np.zeros((side, side, 3), np.uint8)
    state = np.zeros((side, side, 3), np.float32)
    return [
        ("describe", {}),
        ("open", {"image": image, "size": [side, side]}),
        (SERVING_DEFAULT, {"image": image, "octaves": [0], "steps": 1}),
        ("ascend", {"state": state, "steps": 1}),
        ("ascend_guided", {"state": state, "guide": image, "steps": 1}),
        ("close", {"state": state, "size": [side, side]}),
    ]


def golden_requests(architecture: Architecture) -> Requests:
    """Make requests of each signature, with pictures as small as the network takes.

    Tiles are twice as large, and would make records of hundreds of kilobytes; what they compute, these do, too.
    """
    height = max(architecture.minimum_side, 19)
    width = height + 2
    image = photo(height, width)
    ascent: dict[str, npt.ArrayLike] = {"octaves": [1, 0], "octave_scale": 1.1, "steps": 2}
    yield "describe", {"size": [480, 641]}
    yield SERVING_DEFAULT, {"image": image, **ascent}
    opened = yield "open", {"image": photo(31, 47), "size": [height, width]}
    state = opened["state"]
    yield "ascend", {"state": state, "steps": 0}
    yield "ascend", {"state": state, "steps": 2}
    yield "open", {"image": photo(31, 47), "size": [height, width], "original": image, "details": 1.0}
    yield "ascend", {"state": state, "steps": 2, "smoothing": [0.5, 2.0], "shift": 16, "fade_in": 5}
    yield "ascend_guided", {"state": state, "guide": painting(height, width), "steps": 1}
    yield "close", {"state": state[:17, :13], "size": [29, 21]}
