"""What may be asked of a dream, and how a wrong one is said: no server is needed for these."""

from __future__ import annotations

import math
import typing
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from images.pictures import pixels
from impasto.client import Dream, DreamDescription
from impasto.client._models.dream.plan import DreamChoices, DreamPlan, complete, fit
from impasto.client._models.dream.recipes import Recipe
from impasto.client._models.layers import layer_weights, named_layers
from impasto.client.errors import InvalidInput
from impasto.client.pictures import read_picture

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


def completed(**fields: Any) -> DreamChoices:
    """The choices for this model; as its guide is read when a dream runs, it is read here."""
    guide = fields.get("guide")
    return complete(Dream(pixels(), **fields), MODEL, None if guide is None else read_picture(guide))


def planned(*sizes: tuple[int, int], **fields: Any) -> DreamPlan:
    return fit(completed(octaves=range(len(sizes)), **fields), MODEL, sizes)


def weighed(layers: Any) -> list[float]:
    weights: list[float] = layer_weights(named_layers(layers) or (), MODEL.layers).tolist()
    return weights


def test_what_is_left_out_takes_what_the_recipe_says_and_else_what_the_model_suggests() -> None:
    fine = completed(octaves=[3])
    assert (fine.steps, fine.octaves, fine.recipe.smoothing) == (20, (3,), (0.5, 1.0, 2.0))
    assert np.float32(fine.step_size) == np.float32(0.015)
    choices = completed(recipe="classic")
    assert choices.recipe == Recipe()
    assert (choices.steps, choices.octaves) == (20, (-1, 0))
    assert choices.weights.tolist() == [0.0, 1.0, 0.0]
    assert np.float32(choices.step_size) == np.float32(0.02)
    assert np.float32(choices.octave_scale) == np.float32(1.3)


@pytest.mark.parametrize(
    "layers", [["a", ("c", 0.5)], {"a": 1.0, "c": 0.5}, (("a", 1), ["c", np.float32(0.5)])]
)
def test_layers_are_a_list_of_names_and_pairs_or_a_mapping(layers: Any) -> None:
    assert weighed(layers) == [1.0, 0.0, 0.5]


def test_a_lone_name_is_a_layer() -> None:
    assert weighed("b") == [0.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        (["mixed99"], r"there is no 'mixed99'; the model has a, b, c"),
        (["a", ("a", 2.0)], "'a' is named twice"),
        ([("a", 0.0)], "none has a weight other than 0; name at least one layer"),
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
        weighed(layers)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("recipe", "gallery", "recipe is 'gallery'; it must be 'fine' or 'classic'"),
        ("recipe", None, "recipe is None; it must be 'fine' or 'classic'"),
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
        completed(**{option: value})


@pytest.mark.parametrize("value", [0.1, np.float32(0.1), 10, 10.0])
def test_the_ends_of_a_range_are_in_it(value: float) -> None:
    assert completed(octave_scale=value).octave_scale == np.float32(value)


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
    guide = completed(guide=pixels(300, 600)).guide
    assert guide is not None
    assert guide.shape == (128, 256, 3)
    with pytest.raises(InvalidInput, match="guide is 256 x 13 pixels once its longer side is 256 or less"):
        completed(guide=pixels(30, 600))


def test_an_unknown_option_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="layer"):
        Dream(pixels(), **typing.cast(Any, {"layer": ["a"]}))
