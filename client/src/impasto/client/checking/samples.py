"""The small pictures that are sent, and the inputs made of them or invented; the calls of every signature on them.

A dialogue yields a signature and its inputs, and receives the outputs, of which it makes the inputs of later ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Generator, Mapping
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from impasto.client import errors
from impasto.client._wire.tensor_proto import BY_NAME, OF_ML_DTYPES, ml_dtype
from impasto.client.checking.probe import Outputs
from impasto.client.errors import DecodeError
from impasto.client.model import SignatureInfo, TensorInfo
from impasto.client.signatures import DREAM, FACTORS, SERVING_DEFAULT, STYLIZE, TRANSFER, UPSCALE

_PICTURE_SIDE: Final = 224
"""A side that networks for pictures take: one that is too small for its network can end a whole server."""

_MOST_ELEMENTS: Final = 1 << 20
_MOST_DIMENSIONS: Final = 32
"""Those of an array of any numpy."""


UNSUITABLE: Final = (errors.InvalidInput, errors.PreconditionFailed, errors.ServerFault)
"""The errors with which a model refuses values that were made up."""


class CannotInvent(Exception):  # noqa: N818 - says what happened, as the client's errors do
    """No value can be made up for an input; the message says for which, and why."""


def invented(signature: SignatureInfo) -> dict[str, NDArray[Any]]:
    """Make up a value for each input that a request must carry. Raises CannotInvent."""
    return {name: _value(info) for name, info in signature.inputs.items() if info.default is None}


def _value(info: TensorInfo) -> NDArray[Any]:
    shape = _shape(info)
    if math.prod(shape) > _MOST_ELEMENTS or len(shape) > _MOST_DIMENSIONS:
        raise CannotInvent(f"the input {info.name!r} is too large")
    if info.dtype == "string":
        return np.full(shape, b"", object)
    dtype = _dtype(info)
    if shape[-3:] == (_PICTURE_SIDE, _PICTURE_SIDE, 3) and dtype.kind in "fu":
        pixels = picture(_PICTURE_SIDE, _PICTURE_SIDE) / (1 if dtype.kind == "u" else 255)
        return np.broadcast_to(pixels.astype(dtype), shape)
    return np.zeros(shape, dtype)


def _dtype(info: TensorInfo) -> np.dtype[Any]:
    """The numpy dtype to send. Quantised types are never sent, as the server takes no plain integers for them."""
    known = BY_NAME.get(info.dtype)
    storage = None if known is None else known.storage
    dtype = ml_dtype(info.dtype) if info.dtype in OF_ML_DTYPES else storage
    if dtype is None or info.dtype.startswith("q"):
        raise CannotInvent(f"the input {info.name!r} has dtype {info.dtype}")
    return dtype


def _shape(info: TensorInfo) -> tuple[int, ...]:
    """The input's shape with numbers for what is free: a picture's sides, or one of everything."""
    if info.shape is None:
        return (1,)
    if len(info.shape) >= 3 and info.shape[-3:] == (None, None, 3):
        leading = tuple(size or 1 for size in info.shape[:-3])
        return (*leading, _PICTURE_SIDE, _PICTURE_SIDE, 3)
    return tuple(1 if size is None else size for size in info.shape)


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


Dialogue: TypeAlias = Generator[tuple[str, Inputs], Outputs, None]


def _upscale(served: Collection[str]) -> Dialogue:
    height, width = size_for((yield "describe", {}))
    inputs = serving_inputs(UPSCALE.name, height, width)
    yield SERVING_DEFAULT, inputs
    for signature in FACTORS.values():
        if signature in served:
            yield signature, inputs


def _stylize(served: Collection[str]) -> Dialogue:
    yield "describe", {}
    inputs = serving_inputs(STYLIZE.name, SIDE, SIDE + 12)
    yield SERVING_DEFAULT, inputs
    as_floats = {"placeholder": inputs["content"], "placeholder_1": inputs["style"]}
    yield "hub", {name: (pixels / 255).astype(np.float32) for name, pixels in as_floats.items()}
    if "apply" not in served:
        return
    styled = yield "style_vector", {"style": inputs["style"]}
    yield "apply", {"content": inputs["content"], "vector": output(styled, "vector")}


def _dream(_served: Collection[str]) -> Dialogue:
    described = yield "describe", {}
    height, width = size_for(described)
    yield SERVING_DEFAULT, serving_inputs(DREAM.name, height, width)
    opening = opening_inputs(DREAM.name, height, width)
    state = output((yield "open", opening), "state")
    yield "ascend", {"state": state, "steps": ONE}
    yield "ascend_guided", {"state": state, "steps": ONE, "guide": picture(height, height, seed=1)}
    yield "close", {"state": state, "size": opening["size"]}


def _transfer(_served: Collection[str]) -> Dialogue:
    described = yield "describe", {}
    height, width = size_for(described)
    inputs = serving_inputs(TRANSFER.name, height, width)
    yield SERVING_DEFAULT, inputs
    opened = yield "open", opening_inputs(TRANSFER.name, height, width)
    image = output(opened, "image")
    yield "open_style", {"style": inputs["style"]}
    yield "optimize", {**optimize_inputs(opened), "steps": ONE}
    yield "resize", {"image": image, "size": np.array([height, height], np.int32)}
    yield "close", {"image": image}


DIALOGUES: Final[Mapping[str, Callable[[Collection[str]], Dialogue]]] = {
    UPSCALE.name: _upscale,
    STYLIZE.name: _stylize,
    DREAM.name: _dream,
    TRANSFER.name: _transfer,
}
"""By the contract's name: makes the dialogue with a model that serves these signatures."""
