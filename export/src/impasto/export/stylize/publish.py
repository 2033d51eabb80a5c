"""From a source to a version in the model repository."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impasto.client.signatures import SERVING_DEFAULT, STYLE_SIDE, STYLIZE
from impasto.export import publishing
from impasto.export.golden import Requests
from impasto.export.repository import Version
from impasto.export.sample import painting, photo
from impasto.export.stylize.served import ServedStylizer, Stylizer
from impasto.export.warmup import Request

_WARM_SIDE = 64


def publish(
    stylizer: Stylizer, models: Path, *, maximum_pixels: int | None = None, allow_host_ops: bool = False
) -> Version:
    """Export a source of the stylizer as the next version of `stylize`.

    Args:
        stylizer: the source.
        models: the repository.
        maximum_pixels: the largest height times width of a photo that the server takes; the source's own
            limit if None.
        allow_host_ops: see `publishing.publish`.

    Raises:
        ExportError: `publishing.publish` refuses the result.
    """
    served = ServedStylizer(stylizer, maximum_pixels=maximum_pixels)
    return publishing.publish(
        publishing.Servable(served, served.signatures, STYLIZE),
        models,
        warm_up=_warm_up(served),
        golden=_golden_requests(served, stylizer.minimum_style_side),
        source={"weights": stylizer.provenance.as_dict()},
        allow_host_ops=allow_host_ops,
    )


def _warm_up(served: ServedStylizer) -> list[Request]:
    """Each signature once, as the client calls it: one small photo and one painting."""
    side = min(_WARM_SIDE, math.isqrt(served.maximum_pixels))
    photo = np.zeros((1, side, side, 3), np.uint8)
    painting = np.zeros((1, STYLE_SIDE, STYLE_SIDE, 3), np.uint8)
    requests: dict[str, dict[str, NDArray[Any]]] = {
        SERVING_DEFAULT: {"content": photo, "style": painting},
        "hub": {"placeholder": photo.astype(np.float32), "placeholder_1": painting.astype(np.float32)},
        "describe": {},
        "style_vector": {"style": painting},
    }
    if "apply" in served.signatures:
        requests["apply"] = {"content": photo, "vector": np.zeros((1, served.vector_size), np.float32)}
    return [(name, inputs) for name, inputs in requests.items() if name in served.signatures]


def _golden_requests(served: ServedStylizer, least: int) -> Requests:
    """Make requests of each signature; `hub` does not resize its painting, which has to be `least` pixels high."""
    height = min(27, math.isqrt(served.maximum_pixels))
    width = min(35, served.maximum_pixels // height)
    photos, style = np.stack([photo(height, width), painting(height, width)]), painting(61, 45)[None]
    side = max(least, 33)
    yield "describe", {"query": [0, 1]}
    yield SERVING_DEFAULT, {"content": photos, "style": style}
    yield (
        "hub",
        {"placeholder": _floats(photos[:1]), "placeholder_1": _floats(painting(side, side + 2)[None])},
    )
    if "apply" in served.signatures:
        found = yield "style_vector", {"style": style}
        yield "apply", {"content": photos, "vector": found["vector"]}


def _floats(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    return pictures.astype(np.float32) / np.float32(255)
