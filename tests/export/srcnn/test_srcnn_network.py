"""The SRCNN network and its served form, against independent arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray
from PIL import Image
from scipy.signal import correlate

from impasto.export.srcnn.network import SRCNN, enlarge, pad_edges, upscaler_of
from impasto.export.upscale.served import ServedUpscaler
from oracles.rounding import assert_equal_but_for_rounding

RNG = np.random.default_rng(5)


def random_network(*, residual: bool = True) -> SRCNN:
    network = SRCNN(residual=residual, pixel_scale=255.0, pixel_mean=127.5, seed=3)
    for variable in network.trainable_variables:
        variable.assign(RNG.normal(0, 0.05, variable.shape))
    return network


def by_scipy(network: SRCNN, image: NDArray[np.float64]) -> NDArray[np.float64]:
    """The three layers, one correlation at a time."""
    x = image / 255.0 - 0.5
    for layer, (kernel, bias) in enumerate(zip(network.kernels, network.biases, strict=True)):
        weights = kernel.numpy().astype(np.float64)
        channels = [
            sum(correlate(x[..., i], weights[:, :, i, o], mode="valid") for i in range(weights.shape[2]))
            + float(bias[o])
            for o in range(weights.shape[3])
        ]
        x = np.stack(channels, axis=-1)
        if layer < 2:
            x = np.maximum(x, 0)
    return (x + image[6:-6, 6:-6] / 255.0) * 255.0


def test_the_network_computes_the_three_correlations_and_the_residual() -> None:
    network = random_network()
    image = RNG.uniform(0, 255, (20, 24, 3))
    result = network(tf.constant(image[None], tf.float32))[0].numpy()
    assert result.shape == (8, 12, 3)
    np.testing.assert_allclose(result, by_scipy(network, image), atol=2e-3)


def test_an_untrained_residual_network_is_bicubic_interpolation() -> None:
    served = ServedUpscaler(upscaler_of(SRCNN(residual=True, pixel_scale=255.0, pixel_mean=127.5)))
    # Middle greys: Pillow clips overshoot between its two passes, which is not what this test is about.
    image = RNG.integers(80, 176, (20, 30, 3), dtype=np.uint8)
    by_pillow = np.asarray(Image.fromarray(image).resize((60, 40), Image.Resampling.BICUBIC))
    # At the border the two libraries weigh the pixels that are there differently.
    inside = (slice(4, -4), slice(4, -4))
    difference = np.abs(served.upscale(image)[inside].astype(int) - by_pillow[inside].astype(int))
    assert difference.max() <= 1  # Pillow's fixed-point arithmetic rounds differently


def test_the_seed_preset_starts_with_he_initialised_layers_and_no_residual() -> None:
    network = SRCNN(residual=False, pixel_scale=1.0, pixel_mean=0.0, seed=0)
    for kernel in network.kernels:
        fan_in = int(np.prod(kernel.shape[:3]))
        assert float(tf.math.reduce_std(kernel)) == pytest.approx(np.sqrt(2 / fan_in), rel=0.1)


def test_edges_are_repeated_also_around_a_single_pixel() -> None:
    pixel = tf.constant([[[[1.0, 2.0, 3.0]]]])
    assert pad_edges(pixel, 6).shape == (1, 13, 13, 3)
    image = RNG.uniform(0, 255, (1, 4, 5, 3)).astype(np.float32)
    expected = np.pad(image, ((0, 0), (6, 6), (6, 6), (0, 0)), mode="edge")
    np.testing.assert_array_equal(pad_edges(image, 6), expected)


def test_enlarging_stays_within_the_range_of_pixels() -> None:
    checkerboard = np.indices((8, 8)).sum(axis=0) % 2 * 255.0
    enlarged = enlarge(tf.constant(np.repeat(checkerboard[None, ..., None], 3, axis=-1), tf.float32))
    assert enlarged.shape == (1, 16, 16, 3)
    assert float(tf.reduce_min(enlarged)) >= 0 and float(tf.reduce_max(enlarged)) <= 255


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (2, 3), (13, 5)])
def test_pictures_of_any_size_come_back_at_twice_the_size(shape: tuple[int, int]) -> None:
    served = ServedUpscaler(upscaler_of(random_network()))
    image = RNG.integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert served.upscale(image).shape == (2 * shape[0], 2 * shape[1], 3)


def test_a_batch_equals_its_pictures_one_by_one() -> None:
    served = ServedUpscaler(upscaler_of(random_network()))
    batch = RNG.integers(0, 256, (3, 17, 21, 3), dtype=np.uint8)
    together = served.functions["serving_default"](batch)["image"].numpy()
    for image, result in zip(batch, together, strict=True):
        assert_equal_but_for_rounding(served.upscale(image), result)


def test_an_empty_picture_is_refused_with_its_shape() -> None:
    served = ServedUpscaler(upscaler_of(random_network()))
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="image must have at least one picture and one pixel"
    ):
        served.functions["serving_default"](np.zeros((1, 0, 4, 3), np.uint8))
