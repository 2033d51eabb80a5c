"""The project's own upscaling network, against independent arithmetic, whole and in tiles."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray
from scipy.signal import correlate

from impasto.export.upscale.network import UpscalingNetwork
from impasto.export.upscale.presets import FACTORS, SIZES, Size
from impasto.export.upscale.served import ServedUpscaler
from impasto.export.upscale.trained import upscaler_of
from oracles.rounding import assert_equal_but_for_rounding

RNG = np.random.default_rng(5)
TOY = Size("toy", channels=4, layers=6)


def random_network() -> UpscalingNetwork:
    """A network of which every layer has a say."""
    network = UpscalingNetwork(TOY, seed=3)
    for variable in network.trainable_variables:
        variable.assign(RNG.normal(0, 0.15, variable.shape))
    return network


def correlated(x: NDArray[np.float64], layer: tf.Module) -> NDArray[np.float64]:
    """A convolution by SciPy, one pair of channels at a time."""
    weights, bias = layer.kernel.numpy().astype(np.float64), layer.bias.numpy()
    channels = [
        sum(correlate(x[..., i], weights[:, :, i, o], mode="same") for i in range(weights.shape[2])) + bias[o]
        for o in range(weights.shape[3])
    ]
    return np.stack(channels, axis=-1)


@pytest.mark.parametrize("factor", FACTORS)
def test_it_computes_the_correlations_the_skips_and_the_residual_to_bicubic(factor: int) -> None:
    network = random_network()
    image = RNG.uniform(0, 255, (9, 7, 3))
    x = np.maximum(correlated(image / 255 - 0.5, network.body[0]), 0)
    for first, second in ((1, 2), (3, 4)):
        x = x + correlated(np.maximum(correlated(x, network.body[first]), 0), network.body[second])
    detail = correlated(x, network.tails[str(factor)])
    detail = detail.reshape(9, 7, factor, factor, 3).transpose(0, 2, 1, 3, 4).reshape(9 * factor, -1, 3)
    bicubic = tf.image.resize(image[None], (9 * factor, 7 * factor), "bicubic")[0].numpy()
    result = network(tf.constant(image[None], tf.float32), factor)[0].numpy()
    np.testing.assert_allclose(result, bicubic + 255 * detail, atol=5e-3)


def test_an_untrained_network_is_bicubic_interpolation() -> None:
    image = RNG.uniform(0, 255, (1, 8, 11, 3)).astype(np.float32)
    expected = tf.image.resize(image, (24, 33), "bicubic")
    np.testing.assert_allclose(UpscalingNetwork(TOY)(image, 3), expected, atol=1e-3)


@pytest.mark.parametrize("factor", FACTORS)
def test_a_pixel_changes_the_result_as_far_as_the_reach_says_and_no_farther(factor: int) -> None:
    network = UpscalingNetwork(TOY)
    for (
        variable
    ) in network.trainable_variables:  # no feature is cut off by a ReLU, so everything that can, passes
        variable.assign(np.full(variable.shape, 0.3))
    reach = upscaler_of(network).enlargers[factor].reach
    image = np.full((1, 31, 33, 3), 200, np.float32)
    other = image.copy()
    other[0, 15, 16] += 50
    changed = np.any(network(image, factor) != network(other, factor), axis=(0, 3))
    rows, columns = (np.flatnonzero(changed.any(axis=axis)) // factor for axis in (1, 0))
    assert (rows.min(), rows.max()) == (15 - reach, 15 + reach)
    assert (columns.min(), columns.max()) == (16 - reach, 16 + reach)


@pytest.mark.parametrize("factor", FACTORS)
def test_tiles_with_the_reach_around_them_join_to_the_whole(factor: int) -> None:
    served = ServedUpscaler(upscaler_of(random_network()))
    reach = served.upscaler.reach
    image = RNG.integers(0, 256, (40, 52, 3), dtype=np.uint8)
    whole = served.upscale(image, factor=factor)
    joined = np.zeros_like(whole)
    for top in range(0, 40, 20):
        for left in range(0, 52, 13):
            above, before = max(top - reach, 0), max(left - reach, 0)
            part = served.upscale(image[above : top + 20 + reach, before : left + 13 + reach], factor=factor)
            y, x = (top - above) * factor, (left - before) * factor
            inner = part[y : y + 20 * factor, x : x + 13 * factor]
            joined[top * factor :, left * factor :][: len(inner), : inner.shape[1]] = inner
    assert_equal_but_for_rounding(joined, whole)


def test_the_sizes_keep_to_what_they_promise_of_their_time() -> None:
    """The multiplications of a pixel of the low resolution; SRCNN's are four times those of a pixel of the result."""
    srcnn = 4 * (81 * 3 * 64 + 64 * 32 + 25 * 32 * 3)

    def multiplications(size: Size) -> int:
        tail = 9 * size.channels * 3 * 4
        return 9 * size.channels * (3 + (size.layers - 2) * size.channels) + tail

    assert multiplications(SIZES["small"]) < 0.35 * srcnn
    assert multiplications(SIZES["base"]) < 1.25 * srcnn
