"""What may be asked of a transfer, and how a wrong one is said: no server is needed for these."""

from __future__ import annotations

import dataclasses
import math
from collections import deque
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from images.pictures import pixels
from impasto.client import Transfer, TransferDescription
from impasto.client._models.transfer.materials import Materials, near, read_materials
from impasto.client._models.transfer.plan import (
    Level,
    TransferChoices,
    complete,
    fit,
    large_enough,
    painted_sides,
)
from impasto.client._models.transfer.progress import TransferCanvas, epoch_of
from impasto.client.errors import InvalidInput

MODEL = TransferDescription(
    version=3,
    backbone="net",
    weights="random",
    compute="float32",
    layers=("a", "b", "c"),
    style_layers=MappingProxyType({"a": 1.0, "c": 1.0}),
    content_layers=MappingProxyType({"b": 1.0}),
    steps=1000,
    style_weight=0.01,
    content_weight=1e4,
    total_variation_weight=0.0,
    learning_rate=0.02,
    minimum_side=16,
    maximum_steps=50,
    maximum_pixels=1_000_000,
)


def job(content: Any = None, style: Any = None, *, styles: int = 1, **fields: Any) -> Transfer:
    content = pixels() if content is None else content
    fields = {"recipe": "classic"} | fields
    return Transfer(content, [pixels()] * styles if style is None else style, **fields)


def completed(**fields: Any) -> TransferChoices:
    return complete(job(**fields), MODEL)


def made_of(content: Any, style: Any, **fields: Any) -> Materials:
    asked = job(content, style, **fields)
    return read_materials(asked.content, asked.styles, start=asked.start, mask=asked.mask, max_pixels=10**6)


def test_what_is_left_out_takes_what_the_model_suggests() -> None:
    choices = completed()
    assert (choices.epochs, choices.steps_per_epoch) == (10, 100)
    assert choices.style_layers.tolist() == [1.0, 0.0, 1.0]
    assert choices.content_layers.tolist() == [0.0, 1.0, 0.0]
    assert {name: np.float32(value) for name, value in choices.weights.items()} == {
        "style_weight": np.float32(0.01),
        "content_weight": np.float32(1e4),
        "total_variation_weight": np.float32(0),
        "learning_rate": np.float32(0.02),
    }


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"epochs": -1}, "epochs is -1; it must be 0 to"),
        ({"steps_per_epoch": -1}, "steps_per_epoch is -1; it must be 0 to"),
        ({"epochs": 2.5}, "epochs is 2.5; it must be a whole number"),
        ({"epochs": 10**5, "steps_per_epoch": 10**5}, "epochs times steps_per_epoch is 10000000000"),
        ({"style_weight": -1}, r"style_weight is -1.0; it must be 0 to 1e\+10"),
        ({"style_weight": math.nan}, "style_weight is nan"),
        ({"content_weight": 1e11}, "content_weight is 100000000000.0; it must be 0 to"),
        ({"total_variation_weight": "much"}, "total_variation_weight is 'much'; it must be a number"),
        ({"style_weight": 0, "content_weight": 0}, "are all 0, so there is nothing to paint by"),
        ({"learning_rate": 1.5}, "learning_rate is 1.5; it must be 0 to 1"),
        ({"style_layers": ["d"]}, "style_layers: there is no 'd'; the model has a, b, c"),
        ({"style_layers": {"a": -1.0}}, r"style_layers: 'a' weighs -1.0; it must be 0 to 1e\+06"),
        ({"style_layers": [("a", 0)]}, "style_layers: none has a weight other than 0"),
        ({"content_layers": ["b", "b"]}, "content_layers: 'b' is named twice"),
        ({"content_layers": 7}, "content_layers: 7 is neither a layer's name"),
        ({"style_scale": 0}, "style_scale is 0.0; it must be 0.1 to 10"),
        ({"max_side": 15}, "max_side is 15; it must be 16 or more for net"),
        ({"pyramid": 0}, "pyramid is 0; it must be 1 to 10"),
        ({"pyramid": 11}, "pyramid is 11; it must be 1 to 10"),
        ({"seed": -1}, "seed is -1; it must be 0 to"),
        ({"weights": [1, 2, 3], "styles": 2}, "3 weights for 2 styles: give one for each"),
        ({"weights": [1, -2], "styles": 2}, "weight -2 of a style: it must be 0 or more"),
        ({"weights": [0, 0], "styles": 2}, "the weights of the styles sum to zero"),
    ],
)
def test_a_value_out_of_range_is_named_with_its_range(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        completed(**options)


@pytest.mark.parametrize(
    ("size", "style", "words"),
    [
        ((15, 400), (20, 20), "the painting is 400 x 15 pixels, and net needs 16 in .* use a larger picture"),
        ((1001, 1000), (20, 20), "the painting is 1000 x 1001 pixels, and the model takes 1,000,000 in all"),
        ((20, 20), (3, 90), "a style is 90 x 3 pixels, and net needs 16 .* raise style_scale"),
        ((20, 20), (2000, 2000), "a style is 2000 x 2000 pixels, .* lower style_scale"),
    ],
)
def test_a_size_that_the_network_cannot_take_is_named(
    size: tuple[int, int], style: tuple[int, int], words: str
) -> None:
    with pytest.raises(InvalidInput, match=words):
        fit(job(), completed(), MODEL, (Level(size, (style,)),))


def test_the_size_of_a_pyramid_that_is_too_small_is_counted() -> None:
    levels = (Level((10, 20), ((20, 20),)), Level((20, 40), ((40, 40),)))
    with pytest.raises(InvalidInput, match="the painting is at size 1 of the pyramid's 2 20 x 10 pixels"):
        fit(job(pyramid=2), completed(pyramid=2), MODEL, levels)


@pytest.mark.parametrize(
    ("options", "content", "sides"),
    [
        ({}, (300, 450), (450,)),
        ({}, (3000, 2000), (512,)),
        ({"max_side": 0}, (3000, 2000), (3000,)),
        ({"max_side": 250, "pyramid": 3}, (300, 450), (62, 125, 250)),
        ({"pyramid": 10}, (20, 20), (1, 1, 1, 1, 1, 1, 2, 5, 10, 20)),
    ],
)
def test_each_size_of_a_pyramid_is_half_the_next_and_none_is_enlarged(
    options: dict[str, Any], content: tuple[int, int], sides: tuple[int, ...]
) -> None:
    assert painted_sides(job(**options), content) == sides


def test_an_empty_list_of_styles_is_said() -> None:
    with pytest.raises(InvalidInput, match="style is an empty list: give at least one picture"):
        made_of(pixels(), [])


def test_styles_may_be_any_sequence() -> None:
    waves, stars = pixels(seed=1), pixels(seed=2)
    for given in ([waves, stars], (waves, stars), deque([waves, stars])):
        found = made_of(pixels(), given).styles
        assert [style.tolist() for style in found] == [waves.tolist(), stars.tolist()]


def test_epochs_are_counted_from_one_to_the_last() -> None:
    assert [epoch_of(step, epochs=3, steps_per_epoch=2) for step in range(7)] == [1, 1, 2, 2, 3, 3, 3]
    assert epoch_of(0, epochs=0, steps_per_epoch=2) == 0
    assert epoch_of(0, epochs=2, steps_per_epoch=0) == 2


def test_a_picture_more_than_twice_too_large_is_averaged_before_it_is_sent() -> None:
    stripes = np.zeros((40, 400, 3), np.uint8)
    stripes[:, ::4] = 200
    assert near(stripes, (20, 200)) is stripes
    sent = near(stripes, (10, 99))
    assert sent.shape == (14, 134, 3)
    sent = near(stripes, (5, 50))
    assert sent.shape == (10, 100, 3)
    assert (sent == 50).all()


def test_gray_stays_gray_only_where_colours_are_kept() -> None:
    painted = pixels(seed=4)
    materials = made_of(pixels(channels=None), pixels())
    modes = [
        TransferCanvas(materials=materials, size=(12, 17), preserve_color=kept).image(painted).mode
        for kept in (False, True)
    ]
    assert modes == ["RGB", "L"]


def test_the_picture_stays_where_the_mask_is_black_and_transparency_everywhere() -> None:
    mask = np.zeros((12, 17), np.uint8)
    mask[:, 9:] = 255
    content = np.dstack([pixels(), pixels(channels=None, seed=8)])
    canvas = TransferCanvas(
        materials=made_of(content, pixels(), mask=mask), size=(12, 17), preserve_color=False
    )
    painted = pixels(seed=4)
    result = np.asarray(canvas.image(painted))
    assert np.array_equal(result[:, :9, :3], content[:, :9, :3])
    assert np.array_equal(result[:, 9:, :3], painted[:, 9:])
    assert np.array_equal(result[..., 3], content[..., 3])


def test_of_a_state_the_picture_is_cut_off_as_the_model_does_it() -> None:
    canvas = TransferCanvas(materials=made_of(pixels(2, 3), pixels()), size=(2, 3), preserve_color=False)
    state = np.array([0.0, 0.0039, 0.5, 0.9999, 1.0, 1.0005], np.float32)
    image = np.asarray(canvas.image(np.repeat(state, 3).reshape(2, 3, 3)))
    assert image[..., 0].ravel().tolist() == [0, 0, 127, 254, 255, 255]


def test_a_start_is_a_word_or_any_picture() -> None:
    assert made_of(pixels(), pixels()).start is None
    assert made_of(pixels(), pixels(), start="noise").noise
    further = made_of(pixels(), pixels(), start=Image.fromarray(pixels(seed=2)))
    assert further.start is not None
    assert np.array_equal(further.start, pixels(seed=2))
    with pytest.raises(FileNotFoundError):
        made_of(pixels(), pixels(), start="nosie")


def test_each_recipe_has_its_own_sizes_steps_and_weights_and_a_field_beats_it() -> None:
    layers = tuple(f"block{block}_conv{number}" for block in range(1, 6) for number in (1, 2))
    model = dataclasses.replace(
        MODEL, layers=layers, style_layers={layers[0]: 1.0}, content_layers={layers[1]: 1.0}
    )

    def planned(**fields: Any) -> Any:
        asked = job(**{"recipe": "fine"} | fields)
        sides = painted_sides(asked, (600, 400))
        levels = tuple(Level((side, side), ((side, side),)) for side in sides)
        return sides, fit(asked, complete(asked, model), model, levels)

    sides, fine = planned()
    assert sides == (128, 181, 256, 362, 512)
    assert fine.steps == (400, 200, 200, 200, 200)
    assert fine.choices.weights["content_weight"] == 4.0
    assert dict(zip(layers, fine.choices.content_layers, strict=True))["block4_conv2"] == 1.0
    sides, draft = planned(recipe="draft")
    assert (sides, draft.steps) == ((128, 181, 256), (40, 20, 20))
    sides, own = planned(
        max_side=300, pyramid=2, epochs=1, steps_per_epoch=7, content_weight=9, content_layers=layers[0]
    )
    assert (sides, own.steps, own.choices.weights["content_weight"]) == ((212, 300), (14, 7), 9.0)
    assert own.choices.content_layers.tolist() == [1.0] + [0.0] * 9
    assert planned(recipe="gallery", max_side=0)[0][-1] == 600
    assert planned(start=pixels())[0] == planned(epochs=0)[0] == (512,)
    with pytest.raises(
        InvalidInput, match="recipe is 'finest'; it must be 'fine' or 'draft' or 'gallery' or 'classic'"
    ):
        job(recipe="finest")
    with pytest.raises(
        InvalidInput,
        match=r"the recipe 'fine' takes the style_layers .*block1_conv1, .* the recipe 'classic'",
    ):
        complete(job(recipe="fine"), MODEL)


def test_a_recipe_leaves_out_sizes_that_the_network_cannot_see() -> None:
    levels = (Level((12, 128), ((128, 90),)), Level((17, 181), ((181, 10),)), Level((24, 256), ((256, 180),)))
    assert large_enough(levels, 16) == levels[2:]
    assert large_enough(levels[:1], 16) == levels[:1]
