"""The small pictures that are sent, and the inputs that are made of them; the same each time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from impasto.client.checking.probe import Outputs
from impasto.client.errors import DecodeError
from impasto.client.signatures import DREAM, STYLIZE, TRANSFER, UPSCALE

Inputs: TypeAlias = Mapping[str, Any]

SIDE: Final = 48
"""The height, in pixels, of the pictures that are sent, unless a model needs larger ones."""

_LONGEST_SIDE: Final = 512
NONE: Final = np.int32(0)
ONE: Final = np.int32(1)
TWO: Final = np.int32(2)
_OWN_SIZE: Final = np.zeros(1, np.int32)
"""The one octave that is the picture's own size."""


def picture(height: int, width: int, *, seed: int = 0) -> NDArray[np.uint8]:
    """A picture [height, width, 3] that has slopes, edges and some noise; the same for the same arguments."""
    rng = np.random.default_rng(seed)
    down, right = np.mgrid[0:height, 0:width]
    waves = np.stack([np.sin(down / 7 + seed), np.cos(right / 5), np.sin((down + right) / 9)], axis=-1)
    noise = rng.normal(0, 8, (height, width, 3))
    pixels: NDArray[np.uint8] = np.clip(127 + 90 * waves + noise, 0, 255).astype(np.uint8)
    return pixels


def size_for(described: Outputs) -> tuple[int, int]:
    """Return height and width of a picture that a model takes which describes itself so.

    Raises:
        DecodeError: it says that no picture is small enough.
    """
    told = described.get("minimum_side")
    least = int(told.ravel()[0]) if told is not None and told.size and told.dtype.kind in "iu" else 0
    if least > _LONGEST_SIDE:
        raise DecodeError(
            f"describe says minimum_side {least}; the checks send at most {_LONGEST_SIDE} pixels"
        )
    height = max(SIDE, least)
    return height, height + height // 4


def serving_inputs(contract: str, height: int, width: int) -> dict[str, Any]:
    """The inputs of a model's serving_default for pictures of this size, and for one step where it takes steps."""
    pixels, style = picture(height, width), picture(max(SIDE, height), max(SIDE, height), seed=1)
    inputs: dict[str, dict[str, Any]] = {
        UPSCALE.name: {"image": pixels[np.newaxis]},
        STYLIZE.name: {"content": pixels[np.newaxis], "style": style[np.newaxis]},
        DREAM.name: {"image": pixels, "steps": ONE, "octaves": _OWN_SIZE},
        TRANSFER.name: {"content": pixels, "style": style, "steps": ONE},
    }
    return inputs[contract]


def opening_inputs(contract: str, height: int, width: int) -> dict[str, Any]:
    """The inputs of `open` of dream or transfer for pictures of this size."""
    pixels = picture(height, width)
    if contract == DREAM.name:
        return {"image": pixels, "size": np.array([height, width], np.int32)}
    return {"content": pixels, "style": picture(height, height, seed=1)}


def optimize_inputs(opened: Outputs) -> dict[str, Any]:
    """The inputs of transfer's first `optimize`, from what `open` gave, except the steps. Raises DecodeError."""
    image = output(opened, "image")
    targets = {name: output(opened, name) for name in ("style_targets", "content_targets")}
    return {"image": image, "m": np.zeros_like(image), "v": np.zeros_like(image), **targets}


def output(outputs: Outputs, name: str) -> NDArray[Any]:
    """Return an output. Raises DecodeError if the answer has none of this name."""
    if name not in outputs:
        raise DecodeError(f"the answer has no output {name!r}")
    return outputs[name]
