"""Tiles cover a picture once, and joining their results gives the whole picture's result."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from impasto.client._models.tiling import cut, halved, plan

sizes = st.integers(1, 70)
overlaps = st.integers(0, 6)
quick = settings(max_examples=60, deadline=None)
small = st.integers(1, 30)
"""Sides of pictures whose smallest tiles keep a pixel each."""


def enlarge(image: NDArray[Any], *, reach: int, scale: int) -> NDArray[Any]:
    """A stand-in for a network: each output pixel depends on `reach` input pixels to each side, and on the borders.

    Weights differ by direction and distance, so that a pixel from the wrong place or a missing neighbour shows.
    """
    padded = np.pad(image, reach, constant_values=-1)
    height, width = image.shape
    total = np.zeros_like(image)
    weight = 1
    for dy in range(2 * reach + 1):
        for dx in range(2 * reach + 1):
            weight = weight * 7 % 10_007
            total += weight * padded[dy : dy + height, dx : dx + width]
    phases = np.arange(scale * scale).reshape(scale, scale)
    return np.kron(total, np.ones_like(phases)) * 16 + np.tile(phases, (height, width))


@quick
@given(sizes, sizes, overlaps, st.integers(1, 12), st.integers(1, 3))
def test_joined_tiles_equal_the_whole_picture(
    height: int, width: int, overlap: int, more: int, scale: int
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (height, width))
    result = np.full((height * scale, width * scale), -(2**60))
    for tile in plan(height, width, tile=2 * overlap + more, overlap=overlap):
        enlarged = enlarge(image[tile.source], reach=overlap, scale=scale)
        result[tile.target(scale)] = enlarged[tile.kept(scale)]
    assert np.array_equal(result, enlarge(image, reach=overlap, scale=scale))


@quick
@given(small, small, overlaps, st.integers(1, 20), st.integers(1, 20))
def test_tiles_that_are_cut_smaller_and_smaller_still_give_the_whole_picture(
    height: int, width: int, overlap: int, more: int, less: int
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (height, width))
    result = np.full((height, width), -(2**60))
    count = np.zeros((height, width), int)
    for tile in plan(height, width, tile=2 * overlap + more, overlap=overlap):
        for part in cut(tile, side=2 * overlap + less, overlap=overlap):
            for least in cut(part, side=2 * overlap + 1, overlap=overlap):
                enlarged = enlarge(image[least.source], reach=overlap, scale=1)
                result[least.target(1)] = enlarged[least.kept(1)]
                count[least.target(1)] += 1
    assert (count == 1).all()
    assert np.array_equal(result, enlarge(image, reach=overlap, scale=1))


@given(st.integers(2, 400), overlaps)
def test_two_tiles_of_half_the_side_keep_what_one_keeps(more: int, overlap: int) -> None:
    side = 2 * overlap + more
    tiles = plan(10 * side, side, tile=side, overlap=overlap)
    half = halved(side, overlap=overlap)
    assert 2 * overlap < half < side
    assert all(len(cut(tile, side=half, overlap=overlap)) <= 2 * 2 for tile in tiles)


@quick
@given(sizes, sizes, overlaps, st.integers(1, 40))
def test_every_pixel_is_kept_exactly_once_and_every_tile_keeps_something(
    height: int, width: int, overlap: int, more: int
) -> None:
    count = np.zeros((height, width), int)
    for tile in plan(height, width, tile=2 * overlap + more, overlap=overlap):
        count[tile.target(1)] += 1
        assert count[tile.target(1)].size > 0
    assert (count == 1).all()


@quick
@given(sizes, sizes, overlaps, st.integers(1, 40), st.integers(1, 60))
def test_all_tiles_of_a_picture_have_one_shape_which_the_limit_and_the_model_allow(
    height: int, width: int, overlap: int, more: int, least: int
) -> None:
    side = 2 * overlap + more
    least = min(least, side)
    tiles = plan(height, width, tile=side, overlap=overlap, minimum_side=least)
    shapes = {np.zeros((height, width))[tile.source].shape for tile in tiles}
    assert len(shapes) == 1
    for sent, length in zip(*shapes, (height, width), strict=True):
        assert min(length, least) <= sent <= min(length, side)


@given(st.integers(1, 5000), st.integers(0, 40), st.integers(1, 1000))
def test_tiles_are_as_few_as_they_can_be_and_then_as_small(length: int, overlap: int, more: int) -> None:
    side = 2 * overlap + more
    tiles = plan(length, 1, tile=side, overlap=overlap)
    assert len(tiles) == (1 if length <= side else math.ceil((length - 2 * overlap) / more))
    smaller = tiles[0].side - 16
    if len(tiles) > 1 and smaller > 2 * overlap:
        assert len(plan(length, 1, tile=smaller, overlap=overlap)) > len(tiles)


@pytest.mark.parametrize(
    ("width", "height", "most"), [(640, 480, 1.06), (800, 600, 1.12), (1024, 768, 1.13), (4000, 3000, 1.18)]
)
def test_a_photo_is_sent_little_more_than_once(width: int, height: int, most: float) -> None:
    tiles = plan(height, width, tile=512, overlap=12)
    sent = sum(np.zeros((height, width))[tile.source].size for tile in tiles)
    assert sent / (width * height) < most


def test_a_picture_no_larger_than_a_tile_is_one_tile() -> None:
    assert len(plan(512, 3, tile=512, overlap=5)) == 1


def test_one_pixel_more_than_a_tile_is_no_sliver() -> None:
    tiles = plan(513, 10, tile=512, overlap=5)
    assert [(t.rows.start, t.rows.stop) for t in tiles] == [(0, 272), (241, 513)]


def test_a_tile_that_could_keep_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="tile is 10; it must be at least 11 pixels"):
        plan(100, 100, tile=10, overlap=5)
