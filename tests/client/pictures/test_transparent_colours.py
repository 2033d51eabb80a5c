"""A transparent colour hides the pixels of exactly that colour, at every depth and in every mode."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from images.made_png import COLOUR, GRAY, PALETTE, chunk, key, png
from images.pictures import encoded
from impasto.client import PictureWarning, read_picture


def samples_of(depth: int, channels: int, seed: int) -> NDArray[np.int64]:
    """Few different values, so that a colour is met often, and neighbours of each, so that a wrong one would be."""
    rng = np.random.default_rng(seed)
    top = 2**depth - 1
    values = np.unique(np.clip([0, 1, top // 2, top // 2 + 1, top - 1, top], 0, top))
    return rng.choice(values, (9, 11, channels))


@settings(deadline=None, max_examples=60)
@given(depth=st.sampled_from([1, 2, 4, 8, 16]), seed=st.integers(0, 9), high_bits=st.booleans())
def test_the_transparent_gray_hides_its_pixels_and_no_others(depth: int, seed: int, high_bits: bool) -> None:
    samples = samples_of(depth, 1, seed)[..., 0]
    level = int(samples[seed % 9, 3])
    # Only the low bits of the chunk's 16 count: PNG specification, 11.3.2.1.
    data = png(samples, depth, GRAY, key(level | (0xFF << depth & 0xFFFF if high_bits else 0)))

    picture = read_picture(data)

    assert picture.gray
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha == 0, samples == level)
    assert set(np.unique(picture.alpha)) <= {0, 255}
    shown = samples != level
    assert np.array_equal(picture.rgb[..., 0][shown], np.rint(samples * 255 / (2**depth - 1))[shown])


@settings(deadline=None, max_examples=40)
@given(depth=st.sampled_from([8, 16]), seed=st.integers(0, 9))
def test_the_transparent_colour_hides_its_pixels_and_no_others(depth: int, seed: int) -> None:
    samples = samples_of(depth, 3, seed)
    colour = samples[seed % 9, 3]
    if depth == 16:
        samples[0, 0] = colour ^ [0, 0, 1]  # differs in the byte that Pillow drops

    picture = read_picture(png(samples, depth, COLOUR, key(*map(int, colour))))

    hidden = (samples == colour).all(axis=2)
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha == 0, hidden)
    assert np.array_equal(picture.rgb[~hidden], np.rint(samples * 255 / (2**depth - 1))[~hidden])


@settings(deadline=None, max_examples=40)
@given(
    depth=st.sampled_from([1, 2, 4, 8]),
    alphas=st.lists(st.sampled_from([0, 1, 128, 255]), min_size=1, max_size=16),
)
def test_a_palettes_alphas_are_those_of_its_colours(depth: int, alphas: list[int]) -> None:
    colours = min(2**depth, 16)
    alphas = alphas[:colours]
    rng = np.random.default_rng(0)
    palette = rng.integers(0, 256, (colours, 3), np.uint8)
    samples = rng.integers(0, colours, (9, 11))
    data = png(samples, depth, PALETTE, chunk(b"PLTE", palette.tobytes()), chunk(b"tRNS", bytes(alphas)))

    picture = read_picture(data)

    wanted = np.array(alphas + [255] * (colours - len(alphas)))[samples]
    found = np.full(samples.shape, 255) if picture.alpha is None else picture.alpha
    assert np.array_equal(found, wanted)
    assert np.array_equal(picture.rgb[wanted > 0], palette[samples][wanted > 0])


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_gif_with_a_transparent_index_has_alpha(mode: str) -> None:
    image = Image.fromarray(samples_of(8, 3, 1).astype(np.uint8)).convert(mode).quantize(16)
    indices = np.asarray(image)
    data = encoded(image, "GIF", transparency=int(indices[2, 3]))
    picture = read_picture(data)
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha == 0, indices == indices[2, 3])


@pytest.mark.parametrize("mode", ["1", "L", "I;16", "I"])
def test_an_image_in_memory_with_a_transparent_gray_has_alpha(mode: str) -> None:
    values = np.array([[0, 1, 255, 255]], np.uint8)
    image = Image.fromarray(values).convert("I").convert(mode) if mode != "1" else Image.fromarray(values > 1)
    image.info["transparency"] = 255
    picture = read_picture(image)
    assert picture.alpha is not None
    assert picture.alpha.tolist() == [[255, 255, 0, 0]]


@pytest.mark.parametrize("colour", [(1, 2), "red", 7, (1.5, 2.0, 3.0)])
def test_a_transparent_colour_that_is_none_is_left_out_and_said(colour: object) -> None:
    image = Image.new("RGB", (3, 2))
    image.info["transparency"] = colour
    with pytest.warns(PictureWarning, match="transparent colour is none of its colours"):
        assert read_picture(image).alpha is None
