"""What may be asked of a dream, and how a wrong one is said: no server is needed for these."""

from __future__ import annotations

import dataclasses
import math
import typing
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from impasto.client.dream import DreamDescription, DreamKeywords, DreamOptions
from impasto.client.dream.layers import layer_weights
from impasto.client.dream.plan import Plan, fit, settle
from impasto.client.errors import ImageTooLarge, InvalidInput
from pictures import pixels

MODEL = DreamDescription(
    version=3,
    backbone="net",
    weights="random",
    layers=("a", "b", "c"),
    layer_weights=MappingProxyType({"b": 1.0}),
    steps=20,
    step_size=0.02,
    octave_scale=1.3,
    octaves=(-1, 0),
    minimum_side=16,
    maximum_steps=50,
    maximum_pixels=4_000_000,
    maximum_tile_pixels=2_000_000,
)


def planned(*sizes: tuple[int, int], **options: Any) -> Plan:
    settings = settle(DreamOptions(octaves=range(len(sizes)), **options), MODEL)
    return fit(settings, MODEL, np.array(sizes, np.int32))


def test_keyword_arguments_are_the_options() -> None:
    options = {field.name: field.type for field in dataclasses.fields(DreamOptions)}
    keywords = {name: hint.__forward_arg__ for name, hint in DreamKeywords.__annotations__.items()}
    assert keywords == options


def test_what_is_left_out_takes_what_the_model_suggests() -> None:
    settings = settle(DreamOptions(), MODEL)
    assert (settings.steps, settings.octaves) == (20, (-1, 0))
    assert settings.weights.tolist() == [0.0, 1.0, 0.0]
    assert np.float32(settings.step_size) == np.float32(0.02)
    assert np.float32(settings.octave_scale) == np.float32(1.3)


@pytest.mark.parametrize(
    "layers", [["a", ("c", 0.5)], {"a": 1.0, "c": 0.5}, (("a", 1), ["c", np.float32(0.5)])]
)
def test_layers_are_a_list_of_names_and_pairs_or_a_mapping(layers: Any) -> None:
    assert layer_weights(layers, MODEL.layers).tolist() == [1.0, 0.0, 0.5]


def test_a_lone_name_is_a_layer() -> None:
    assert layer_weights("b", MODEL.layers).tolist() == [0.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        (["mixed99"], r"there is no 'mixed99'; the model has a, b, c"),
        (["a", ("a", 2.0)], "'a' is named twice"),
        ([("a", 0.0)], "none has a weight other than 0; name at least one of a, b, c"),
        ([], "none has a weight other than 0"),
        ({}, "none has a weight other than 0"),
        ([("a", math.nan)], r"'a' weighs nan; it must be -1e\+06 to 1e\+06"),
        ([("a", math.inf)], "'a' weighs inf"),
        pytest.param([("a", 10**400)], "'a' weighs inf", id="huge"),
        ([("a", 1e-40)], "none has a weight other than 0"),
        ([("a", -2e6)], "'a' weighs -2000000.0"),
        ([("a", "much")], r"\('a', 'much'\) is neither a layer's name nor a pair"),
        ([("a", None)], "neither a layer's name nor a pair"),
        ([("a", 1, 2)], "neither a layer's name nor a pair"),
        ([7], "7 is neither a layer's name nor a pair"),
    ],
)
def test_wrong_layers_are_named(layers: Any, words: str) -> None:
    with pytest.raises(InvalidInput, match=f"^layers: .*{words}"):
        layer_weights(layers, MODEL.layers)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("steps", -1, "steps is -1; it must be 0 to 1000000000"),
        ("steps", 10**10, "it must be 0 to 1000000000"),
        ("steps", 2.5, "steps is 2.5; it must be a whole number"),
        ("steps", "ten", "steps is 'ten'; it must be a whole number"),
        ("step_size", -0.1, "step_size is -0.1; it must be 0 to 1"),
        ("step_size", 1.1, "step_size is 1.1; it must be 0 to 1"),
        ("step_size", math.nan, "step_size is nan; it must be 0 to 1"),
        ("step_size", [1, 2], "it must be a number"),
        pytest.param("step_size", 10**400, "step_size is inf; it must be 0 to 1", id="huge"),
        pytest.param("octave_scale", -(10**400), "octave_scale is -inf; it must be 0.1 to 10", id="least"),
        ("octave_scale", 0.0, "octave_scale is 0.0; it must be 0.1 to 10"),
        ("octave_scale", math.nan, "octave_scale is nan; it must be 0.1 to 10"),
        ("octave_scale", math.inf, "octave_scale is inf; it must be 0.1 to 10"),
        ("octaves", [], "octaves holds 0 numbers; it must hold 1 to 32"),
        ("octaves", [0] * 33, "octaves holds 33 numbers; it must hold 1 to 32"),
        ("octaves", [0.5], "octaves is 0.5; it must be a whole number"),
        ("octaves", 3, "octaves is 3; it must be whole numbers such as"),
        ("octaves", [2**31], "octaves is 2147483648; it must be -2147483648 to 2147483647"),
        ("tile", -1, "tile is -1; it must be 0 to 2147483647"),
        ("tile", 31, r"tile is 31; it must be 0 \(none\) or at least 32 pixels for net"),
        ("seed", 2**31, "seed is 2147483648; it must be"),
        ("seed", 0.5, "seed is 0.5; it must be a whole number"),
    ],
)
def test_a_value_out_of_range_is_named_with_its_range(option: str, value: Any, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        settle(DreamOptions(**{option: value}), MODEL)


@pytest.mark.parametrize("value", [0.1, np.float32(0.1), 10, 10.0])
def test_the_ends_of_a_range_are_in_it(value: float) -> None:
    assert settle(DreamOptions(octave_scale=value), MODEL).octave_scale == np.float32(value)


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ((15, 400), "octave 0 makes the picture 400 x 15 pixels, and net needs 16 in width and height"),
        ((0, 0), "octave 0 makes the picture 0 x 0 pixels"),
        ((2001, 2000), "makes the picture 2000 x 2001 pixels, and the model takes 4,000,000 in all"),
    ],
)
def test_an_octave_that_the_network_cannot_take_is_named(size: tuple[int, int], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        planned(size)


def test_an_octave_too_large_for_one_piece_says_to_set_the_tile() -> None:
    with pytest.raises(
        InvalidInput, match=r"takes gradients of 2,000,000 pixels at once; set tile, which is 0"
    ):
        planned((1600, 1600), tile=0)
    assert planned((1600, 1600), tile=1000).tile == 1000


def test_large_octaves_are_tiled_unless_one_says_otherwise() -> None:
    assert planned((1000, 1000), (500, 500)).tile == 0
    assert planned((1000, 1000), (1100, 1000)).tile == 512
    assert planned((1100, 1000), tile=0).tile == 0
    assert planned((1000, 1000), tile=64).tile == 64


def test_the_guide_is_shrunk_and_must_still_suit_the_network() -> None:
    settings = settle(DreamOptions(guide=pixels(300, 600)), MODEL)
    assert settings.guide is not None
    assert settings.guide.shape == (128, 256, 3)
    with pytest.raises(InvalidInput, match="guide is 256 x 13 pixels once its longer side is 256 or less"):
        settle(DreamOptions(guide=pixels(30, 600)), MODEL)


def test_the_guide_may_be_as_large_as_the_caller_says() -> None:
    guide = DreamOptions(guide=pixels(300, 600))
    with pytest.raises(ImageTooLarge, match="the limit is 179,999"):
        settle(guide, MODEL, max_pixels=179_999)
    assert settle(guide, MODEL, max_pixels=180_000).guide is not None


def test_an_unknown_option_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="layer"):
        DreamOptions(**typing.cast(Any, {"layer": ["a"]}))
