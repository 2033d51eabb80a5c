"""Networks in ncnn's files: read right, or refused in words; their views are what their pixels depend on."""

from __future__ import annotations

import random
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from floods.mutations import damaged
from impasto.export.upscale.ncnn import NcnnError, Network, read_network
from toys.ncnn_files import NcnnFiles, small_files

Pixels = NDArray[np.float32]


@pytest.fixture(scope="module")
def files() -> NcnnFiles:
    """A network of two, with each kind of layer that is read here."""
    return small_files()


@pytest.fixture(scope="module")
def network(files: NcnnFiles) -> Network:
    return read_network(*files, where="toy")


def test_float16_and_float32_are_the_same_weights(files: NcnnFiles) -> None:
    picture = _noise(9, 7)
    half, single = (
        read_network(*small_files(half=is_half), where="toy")(picture).numpy() for is_half in (True, False)
    )
    np.testing.assert_allclose(half, single, atol=1e-6)
    assert np.std(half) > 0.01


def test_the_result_is_as_large_as_the_factor_says(network: Network) -> None:
    assert network.factor == 3
    for height, width in ((1, 1), (2, 5), (8, 3)):
        assert network(_noise(height, width)).shape == (1, 3 * height, 3 * width, 3)


def test_the_reach_is_the_farthest_pixel_that_a_pixel_of_the_result_depends_on(network: Network) -> None:
    side, at = 41, 20
    first = _noise(side, side)
    second = first.copy()
    second[0, at, at] = 1 - second[0, at, at]
    changed = np.abs(network(first) - network(second)).max(axis=(0, 3)) > 0
    for axis in (0, 1):
        places = np.flatnonzero(changed.any(axis=1 - axis)) // network.factor
        assert max(at - places.min(), places.max() - at) == network.view.reach


def test_a_part_of_a_picture_with_the_reach_around_gives_the_same_pixels(network: Network) -> None:
    picture, reach, factor = _noise(60, 20), network.view.reach, network.factor
    whole, part = network(picture), network(picture[:, : 30 + reach])
    np.testing.assert_allclose(part[:, : 30 * factor], whole[:, : 30 * factor], atol=1e-6)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("7767517", "7767518", "its first line must be 7767517"),
        ("PReLU", "Sigmoid", "Sigmoid 'prelu' is of a kind that is not read here; known are Input, BinaryOp"),
        (
            "0=4 1=3",
            "0=5 1=3",
            r"Convolution 'first' has 108 weights; 5 kernels of 3 x 3 on 3 channels have 135",
        ),
        ("4=1 5=1 6=108", "4=0 5=1 6=108", r"dilation, stride and padding \(1, 1, 0\)"),
        ("9=2 -23310=1,2.000000e-01", "9=4", "the activation 4 with 0 numbers"),
        ("6=108", "6=108 18=1", "Convolution 'first' has parameter 18, which is not read here"),
        ("0=3 1=7.500000e-01 2=7.500000e-01", "0=2 1=2 2=2", r"resizes by the method 2 to 2\.0 x 2\.0"),
        ("first_out", "nowhere", "takes 'first_out', which no layer before it gives"),
        ("-23301=2,2.0", "-23301=3,2.0", "announces an array of 3 numbers, and it has 2"),
        (
            "PixelShuffle shuffle 1 1 wide fine 0=4",
            "PixelShuffle shuffle 1 1 wide fine 0=32",
            "has 32 times the size",
        ),
    ],
)
def test_what_is_not_read_here_is_named(files: NcnnFiles, old: str, new: str, words: str) -> None:
    text = files.param.decode().replace(old, new, 1)
    assert text != files.param.decode()
    with pytest.raises(NcnnError, match=f"^toy: .*{words}"):
        read_network(text.encode(), files.weights, where="toy")


def test_weights_of_another_network_are_refused(files: NcnnFiles) -> None:
    with pytest.raises(NcnnError, match="4 bytes are left over after the last layer"):
        read_network(files.param, files.weights + bytes(4), where="toy")
    with pytest.raises(NcnnError, match=r"it ends at byte \d+, in the weights of Convolution 'last'"):
        read_network(files.param, files.weights[:-4], where="toy")
    with pytest.raises(NcnnError, match=r"begin with 0x000D4B38 at byte 0, which means 8-bit integers"):
        read_network(files.param, b"\x38\x4b\x0d\x00" + files.weights[4:], where="toy")


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_damaged_files_are_refused_in_words_or_read_and_never_take_memory(seed: int) -> None:
    param, weights = small_files()
    rng = random.Random(seed)
    param, weights = (damaged(param, rng), weights) if rng.random() < 0.8 else (param, damaged(weights, rng))
    tracemalloc.start()
    try:
        network = read_network(param, weights, where="toy")
    except NcnnError as error:
        assert str(error).startswith("toy: ")
    else:
        assert network(_noise(2, 1)).shape == (1, 2 * network.factor, network.factor, 3)
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 20 * (len(param) + len(weights)) + (1 << 20)


def _noise(height: int, width: int) -> Pixels:
    return np.random.default_rng(height * 100 + width).random((1, height, width, 3), dtype=np.float32)
