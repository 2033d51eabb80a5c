"""From an upscaler to a version in the model repository, and from a version back to a callable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from impasto.client.signatures import SERVING_DEFAULT, UPSCALE
from impasto.export import publishing
from impasto.export.golden import Requests
from impasto.export.repository import Version
from impasto.export.sample import painting, photo
from impasto.export.upscale.served import ServedUpscaler
from impasto.export.upscale.upscaler import Upscaler
from impasto.export.warmup import Request


def publish(
    upscaler: Upscaler,
    model: str,
    models: Path,
    *,
    source: Mapping[str, Any],
    figures: Mapping[str, Any] | None = None,
    allow_host_ops: bool = False,
) -> Version:
    """Export an upscaler as the next version of a model, with warm-up, golden records and manifest.

    Args:
        upscaler: what to serve.
        model: the model's name, any.
        models: the model repository.
        source: where the weights come from, for the manifest.
        figures: what was measured, for the manifest.
        allow_host_ops: see `publishing.publish`.

    Raises:
        ExportError: `publishing.publish` refuses the result.
    """
    served = ServedUpscaler(upscaler)
    return publishing.publish(
        publishing.Servable(served, served.functions, UPSCALE, model),
        models,
        warm_up=warm_up(served),
        golden=golden_requests(served),
        source={"network": upscaler.network, "weights": upscaler.weights, **source},
        figures=figures,
        allow_host_ops=allow_host_ops,
    )


def warm_up(served: ServedUpscaler) -> list[Request]:
    """Make a request for each signature, of a single picture as the client sends it, and one of a small batch."""
    least = served.upscaler.minimum_side
    pictures = np.zeros((2, max(least, 32), max(least, 48), 3), np.uint8)
    return [
        ("describe", {}),
        *((name, {"image": pictures[:1]}) for name in _enlarging(served)),
        (SERVING_DEFAULT, {"image": pictures}),
    ]


def golden_requests(served: ServedUpscaler) -> Requests:
    """Make requests: a single picture, a batch, one smaller than what a network looks at, and one for each factor."""
    least = served.upscaler.minimum_side
    height, width = max(least, 21), max(least, 27)
    yield "describe", {"query": [0, 1]}
    yield SERVING_DEFAULT, {"image": photo(max(least, 45), max(least, 61))[None]}
    yield SERVING_DEFAULT, {"image": np.stack([photo(height, width), painting(height, width)])}
    yield SERVING_DEFAULT, {"image": photo(least, least + 2)[None]}
    for name in _enlarging(served):
        if name != SERVING_DEFAULT:
            yield name, {"image": photo(height, width)[None]}


def _enlarging(served: ServedUpscaler) -> Iterator[str]:
    return (name for name in served.functions if name != "describe")
