"""Pixels of more than 8 bits are scaled by their range. Files are written by tifffile, and by hand, not by Pillow."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from images.made_png import COLOUR, COLOUR_ALPHA, GRAY, GRAY_ALPHA, png
from images.pictures import encoded
from impasto.client import PictureWarning, errors, read_picture

CHANNELS = {GRAY: 1, GRAY_ALPHA: 2, COLOUR: 3, COLOUR_ALPHA: 4}


def deep(height: int, width: int, channels: int, seed: int = 0) -> NDArray[np.uint16]:
    return np.random.default_rng(seed).integers(0, 65536, (height, width, channels), np.uint16)


def rounded(samples: NDArray[Any]) -> NDArray[np.uint8]:
    return np.rint(samples.astype(np.float64) / 257).astype(np.uint8)


def tiff(samples: NDArray[Any], **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, samples, metadata=None, **options)
    return buffer.getvalue()


@settings(deadline=None, max_examples=60)
@given(
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    colour=st.sampled_from(sorted(CHANNELS)),
    seed=st.integers(0, 99),
)
def test_a_png_of_16_bits_keeps_the_nearest_tones(height: int, width: int, colour: int, seed: int) -> None:
    samples = deep(height, width, CHANNELS[colour], seed)

    picture = read_picture(png(samples, 16, colour))

    wanted = rounded(samples)
    assert picture.gray == (CHANNELS[colour] < 3)
    if CHANNELS[colour] % 2 == 0:
        assert picture.alpha is not None
        assert np.array_equal(picture.alpha, wanted[..., -1])
        shown = wanted[..., -1] > 0
        assert np.array_equal(picture.rgb[..., 0][shown], wanted[..., 0][shown])
    else:
        assert np.array_equal(picture.rgb, np.broadcast_to(wanted, picture.rgb.shape))


def test_every_16_bit_value_becomes_the_nearest_of_8_bits() -> None:
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    samples = np.stack([values, values[::-1], values.T], axis=2)
    assert np.array_equal(read_picture(png(samples, 16, COLOUR)).rgb, rounded(samples))
    assert np.array_equal(read_picture(png(values, 16, GRAY)).rgb[..., 0], rounded(values))


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"compression": "zlib", "predictor": True}])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_tiff_of_16_bits_keeps_the_nearest_tones(
    byteorder: str, options: dict[str, Any], channels: int
) -> None:
    samples = deep(19, 23, channels)
    if channels == 4:
        samples[..., 3] |= 0x8000
        options = {**options, "extrasamples": ["unassalpha"]}
    data = tiff(
        samples[..., 0] if channels == 1 else samples,
        byteorder=byteorder,
        photometric="minisblack" if channels == 1 else "rgb",
        **options,
    )
    picture = read_picture(data)
    wanted = rounded(samples)
    assert np.array_equal(picture.rgb, np.broadcast_to(wanted[..., :3], picture.rgb.shape))
    assert (picture.alpha is None) == (channels != 4)
    if picture.alpha is not None:
        assert np.array_equal(picture.alpha, wanted[..., 3])


def test_16_bit_inks_keep_the_nearest_tones() -> None:
    samples = deep(9, 11, 4)
    inks = Image.frombytes("CMYK", (11, 9), rounded(samples).tobytes())
    picture = read_picture(tiff(samples, photometric="separated"))
    assert np.array_equal(picture.rgb, np.asarray(inks.convert("RGB")))


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}])
def test_16_bit_planes_one_after_the_other_are_refused_rather_than_read_as_noise(
    options: dict[str, Any],
) -> None:
    data = tiff(deep(3, 19, 23), planarconfig="separate", photometric="rgb", **options)
    with pytest.raises(errors.UnsupportedImage, match="plane by itself; save it with interleaved colours"):
        read_picture(data)


def test_a_16_bit_tiff_whose_zero_is_white_is_no_negative() -> None:
    samples = deep(9, 11, 1)[..., 0]
    assert np.array_equal(
        read_picture(tiff(samples, photometric="miniswhite")).rgb[..., 0], rounded(65535 - samples)
    )


@pytest.mark.parametrize("dtype", [np.uint16, np.int32])
def test_16_bit_gray_in_memory_is_scaled_by_its_range(dtype: type) -> None:
    values: NDArray[Any] = np.linspace(0, 65535, 200).reshape(10, 20).astype(dtype)
    assert np.array_equal(read_picture(Image.fromarray(values)).rgb[..., 0], rounded(values))


def test_big_endian_16_bit_gray_is_scaled_alike() -> None:
    values = deep(9, 11, 1)[..., 0]
    image = Image.frombytes("I;16B", (11, 9), values.astype(">u2").tobytes())
    assert np.array_equal(read_picture(image).rgb[..., 0], rounded(values))


def test_a_16_bit_ppm_is_read() -> None:
    values = deep(9, 11, 3)
    data = b"P6 11 9 65535\n" + values.astype(">u2").tobytes()
    assert np.abs(read_picture(data).rgb.astype(int) - rounded(values)).max() <= 1  # Pillow's own rounding


def test_floating_point_from_0_to_1_is_scaled_to_255() -> None:
    values = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    picture = read_picture(tiff(values))
    assert picture.gray
    assert picture.notes == ()
    assert np.array_equal(picture.rgb[..., 0], np.arange(256).reshape(16, 16))


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
@pytest.mark.parametrize(
    ("low", "high", "black", "white"),
    [
        (0, 255, 0, 255),
        (100, 140, 0, 255),
        (0, 65535, 0, 65535),
        (0, 4095, 0, 4095),
        (0, 100_000, 0, 100_000),
        (-50, 150, -50, 150),
        (-5, -5, -5, -4),
    ],
)
def test_other_ranges_are_scaled_by_a_white_that_is_said(
    dtype: type, low: float, high: float, black: float, white: float
) -> None:
    values: NDArray[Any] = np.linspace(low, high, 64).reshape(8, 8).astype(dtype)
    if dtype is np.int32 and low >= 0 and high <= 65535:  # whole numbers are of 16 bits if they can be
        black, white = 0, 65535
        wanted = read_picture(Image.fromarray(values))
        assert wanted.notes == ()
    else:
        with pytest.warns(PictureWarning, match=r"its pixels run from .* is taken as black and .* as white"):
            wanted = read_picture(Image.fromarray(values))
    exact = (values.astype(np.float64) - black) * 255 / (white - black)
    assert np.abs(wanted.rgb[..., 0] - exact).max() <= 0.501


def test_a_float_picture_beyond_1_is_not_black() -> None:
    with pytest.warns(PictureWarning, match="3.7 as white"):
        picture = read_picture(Image.fromarray(np.linspace(0, 3.7, 64, dtype=np.float32).reshape(8, 8)))
    assert picture.rgb.max() == 255


def test_32_bit_whole_numbers_without_a_sign_are_not_read_as_negative() -> None:
    values = np.array([[0, 2**31, 2**32 - 1]], np.uint32)
    with pytest.warns(PictureWarning, match=r"from 0 to 4.29497e\+09"):
        picture = read_picture(tiff(values))
    assert picture.rgb[0, :, 0].tolist() == [0, 128, 255]


def test_pixels_that_are_no_finite_numbers_are_black_or_white_and_said() -> None:
    values = np.array([[0.0, 0.5, 1.0, np.nan, np.inf, -np.inf]], np.float32)
    with pytest.warns(PictureWarning, match="not finite numbers"):
        picture = read_picture(encoded(Image.fromarray(values), "TIFF"))
    assert picture.rgb[0, :, 0].tolist() == [0, 128, 255, 0, 255, 0]


def test_a_picture_without_any_finite_number_is_refused() -> None:
    with pytest.raises(errors.UnsupportedImage, match="no pixel that is a finite number"):
        read_picture(Image.fromarray(np.full((2, 2), np.nan, np.float32)))
