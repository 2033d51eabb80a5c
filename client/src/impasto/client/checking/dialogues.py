"""Calls of every signature of a model on small pictures.

A dialogue yields a signature and its inputs, and receives the outputs, of which it makes the inputs of later ones.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
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
from impasto.client.signatures import DREAM, SERVING_DEFAULT, SRCNN, STYLIZE, TRANSFER

Dialogue: TypeAlias = Generator[tuple[str, Inputs], Outputs, None]


def _srcnn() -> Dialogue:
    yield SERVING_DEFAULT, serving_inputs(SRCNN.name, SIDE, SIDE + 12)


def _stylize() -> Dialogue:
    yield "describe", {}
    inputs = serving_inputs(STYLIZE.name, SIDE, SIDE + 12)
    yield SERVING_DEFAULT, inputs
    as_floats = {"placeholder": inputs["content"], "placeholder_1": inputs["style"]}
    yield "hub", {name: (pixels / 255).astype(np.float32) for name, pixels in as_floats.items()}
    styled = yield "style_vector", {"style": inputs["style"]}
    yield "apply", {"content": inputs["content"], "vector": output(styled, "vector")}


def _dream() -> Dialogue:
    described = yield "describe", {}
    height, width = size_for(described)
    yield SERVING_DEFAULT, serving_inputs(DREAM.name, height, width)
    opening = opening_inputs(DREAM.name, height, width)
    state = output((yield "open", opening), "state")
    yield "ascend", {"state": state, "steps": ONE}
    yield "ascend_guided", {"state": state, "steps": ONE, "guide": picture(height, height, seed=1)}
    yield "close", {"state": state, "size": opening["size"]}


def _transfer() -> Dialogue:
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


DIALOGUES: Final[Mapping[str, Callable[[], Dialogue]]] = {
    SRCNN.name: _srcnn,
    STYLIZE.name: _stylize,
    DREAM.name: _dream,
    TRANSFER.name: _transfer,
}
"""The dialogue of each model of the contract."""
