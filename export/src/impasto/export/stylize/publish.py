"""From a source to a version in the model repository."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from impasto.client.signatures import SERVING_DEFAULT, STYLE_SIDE
from impasto.export import publishing
from impasto.export.repository import Version
from impasto.export.stylize.served import ServedStylizer
from impasto.export.stylize.source import Stylizer
from impasto.export.warmup import Request

_WARM_SIDE = 64


def publish(stylizer: Stylizer, models: Path, *, maximum_pixels: int | None = None) -> Version:
    """Export a source of the stylizer as the next version of `stylize`.

    Args:
        stylizer: the source.
        models: the repository.
        maximum_pixels: the largest height times width of a photo that the server takes; the source's own
            limit if None.
    """
    served = ServedStylizer(stylizer, maximum_pixels=maximum_pixels)
    return publishing.publish(
        served,
        served.signatures,
        models,
        contract=served.contract,
        warm_up=_warm_up(served),
        source={"weights": stylizer.provenance.as_dict()},
    )


def _warm_up(served: ServedStylizer) -> list[Request]:
    """Each signature once, as the client calls it: one small photo and one painting."""
    photo = np.zeros((1, _WARM_SIDE, _WARM_SIDE, 3), np.uint8)
    painting = np.zeros((1, STYLE_SIDE, STYLE_SIDE, 3), np.uint8)
    requests: dict[str, dict[str, npt.NDArray[Any]]] = {
        SERVING_DEFAULT: {"content": photo, "style": painting},
        "hub": {"placeholder": photo.astype(np.float32), "placeholder_1": painting.astype(np.float32)},
        "describe": {},
        "style_vector": {"style": painting},
    }
    if "apply" in served.signatures:
        requests["apply"] = {"content": photo, "vector": np.zeros((1, served.vector_size), np.float32)}
    return [(name, inputs) for name, inputs in requests.items() if name in served.signatures]
