"""Calls of every signature of a model on small pictures.

A dialogue yields a signature and its inputs, and receives the outputs, of which it makes the inputs of later ones.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping
from typing import Final, TypeAlias

import numpy as np

from impasto.client.checking.probe import Outputs
from impasto.client.checking.samples import (
    ONE,
    SIDE,
    Inputs,
    opening_inputs,
    optimize_inputs,
    output,
    picture,
    serving_inputs,
    size_for,
)
from impasto.client.signatures import DREAM, FACTORS, SERVING_DEFAULT, STYLIZE, TRANSFER, UPSCALE

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
