"""Resizing by ops with GPU kernels is beside `tf.image.resize`, which has none for some."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from impasto.export.resizing import antialiased, bicubic_enlarged, bilinear

LEVEL = 1e-3
SIDES = st.integers(1, 40)


def picture(height: int, width: int, *, batch: int = 1) -> tf.Tensor:
    pixels = np.random.default_rng(height * 1000 + width).integers(0, 256, (batch, height, width, 3))
    return tf.constant(pixels, tf.float32)


@pytest.mark.parametrize("factor", [2, 3, 4])
@settings(max_examples=25, deadline=None)
@given(height=SIDES, width=SIDES)
def test_enlarged_is_bicubic_at_every_size_and_edge(factor: int, height: int, width: int) -> None:
    image = picture(height, width, batch=2)
    expected = tf.image.resize(image, [factor * height, factor * width], method="bicubic")
    np.testing.assert_allclose(bicubic_enlarged(image, factor), expected, rtol=0, atol=LEVEL)


def test_a_doubled_picture_keeps_its_flat_parts_to_the_bit() -> None:
    flat = tf.fill([1, 5, 7, 3], 255.0)
    np.testing.assert_array_equal(bicubic_enlarged(flat, 2), np.full((1, 10, 14, 3), 255, np.float32))


# Around the wanted side a pixel counts or does not by the last bit of its place.
@pytest.mark.parametrize("size", [(1, 1), (1, 5), (2, 300), (257, 255), (259, 263), (256, 256), (511, 1023)])
def test_antialiased_is_a_triangle_as_wide_as_the_reduction(size: tuple[int, int]) -> None:
    image = picture(*size)
    expected = tf.image.resize(image, [256, 256], antialias=True)
    np.testing.assert_allclose(antialiased(image, 256, 256), expected, rtol=0, atol=LEVEL)


@settings(max_examples=25, deadline=None)
@given(height=SIDES, width=SIDES, to_height=SIDES, to_width=SIDES)
def test_antialiased_between_any_two_sizes(height: int, width: int, to_height: int, to_width: int) -> None:
    image = picture(height, width, batch=2)
    expected = tf.image.resize(image, [to_height, to_width], antialias=True)
    np.testing.assert_allclose(antialiased(image, to_height, to_width), expected, rtol=0, atol=LEVEL)


def test_bytes_are_resized_as_floats_are_to_the_bit() -> None:
    image = tf.cast(picture(31, 17)[0], tf.uint8)
    np.testing.assert_array_equal(bilinear(image, [23, 40]), tf.image.resize(image, [23, 40]))
