"""The predictor and the painter: sizes, batches, and the normalisation that brings the style in."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from impasto.export.stylize.networks import EPSILON, Painter, StylePredictor
from oracles.rounding import FLOATS
from toys.tiny_stylizer import VECTOR_SIZE, painter_kernels, predictor_kernels

RNG = np.random.default_rng(3)


def photos(*shape: int) -> tf.Tensor:
    return tf.constant(RNG.random((*shape, 3)), tf.float32)


@pytest.fixture(scope="module")
def painter() -> Painter:
    return Painter(painter_kernels())


@pytest.fixture(scope="module")
def vectors() -> tf.Tensor:
    return tf.constant(RNG.normal(size=(3, VECTOR_SIZE)), tf.float32)


@pytest.mark.parametrize("sides", [(16, 16), (17, 30), (18, 19), (40, 16)])
def test_sizes_are_rounded_up_to_multiples_of_four(
    painter: Painter, vectors: tf.Tensor, sides: tuple[int, int]
) -> None:
    painted = painter(photos(1, *sides), vectors[:1])
    assert painted.shape == (1, *(-(-side // 4) * 4 for side in sides), 3)


def test_each_photo_of_a_batch_is_painted_as_if_alone(painter: Painter, vectors: tf.Tensor) -> None:
    batch = photos(3, 20, 24)
    together = painter(batch, vectors)
    for i in range(3):
        alone = painter(batch[i : i + 1], vectors[i : i + 1])
        np.testing.assert_allclose(together[i], alone[0], rtol=0, atol=FLOATS)


def test_one_vector_serves_a_whole_batch(painter: Painter, vectors: tf.Tensor) -> None:
    batch = photos(2, 16, 16)
    np.testing.assert_allclose(
        painter(batch, vectors[:1]), painter(batch, tf.repeat(vectors[:1], 2, axis=0)), rtol=0, atol=FLOATS
    )


def test_the_vector_sets_mean_and_deviation_of_every_channel(painter: Painter, vectors: tf.Tensor) -> None:
    layer = painter.residuals[2][1]
    features = tf.constant(RNG.normal(3, 5, (2, 9, 11, 6)), tf.float32)
    styled = layer(features, vectors[:2]).numpy()

    kernels = painter_kernels()
    name = "style_params/transformer/residual/residual3/conv2/StyleNorm"
    mean, deviation = (
        vectors[:2].numpy() @ kernels[f"{name}/{part}"].weights[0, 0] + kernels[f"{name}/{part}"].bias
        for part in ("Conv", "Conv_1")
    )
    plain = tf.nn.conv2d(
        features, kernels["transformer/residual/residual3/conv2"].weights, 1, "VALID"
    ).numpy()
    variance = plain.var(axis=(1, 2))
    np.testing.assert_allclose(styled.mean(axis=(1, 2)), mean, atol=1e-4)
    np.testing.assert_allclose(
        styled.std(axis=(1, 2)), np.abs(deviation) * np.sqrt(variance / (variance + EPSILON)), rtol=1e-4
    )


@pytest.mark.parametrize("sides", [(16, 16), (31, 77), (256, 256)])
def test_a_painting_of_any_size_gives_one_vector(sides: tuple[int, int]) -> None:
    assert StylePredictor(predictor_kernels())(photos(2, *sides)).shape == (2, VECTOR_SIZE)


def test_a_block_adds_its_input_only_where_neither_size_nor_channels_change() -> None:
    kernels = predictor_kernels()
    for number in range(3):
        name = "MobilenetV2/expanded_conv" + (f"_{number}" if number else "") + "/project"
        kernels[name] = kernels[name]._replace(weights=kernels[name].weights * 0, bias=kernels[name].bias * 0)
    first, halving, last = StylePredictor(kernels).blocks
    features = tf.constant(RNG.normal(size=(1, 8, 8, 4)), tf.float32)
    np.testing.assert_array_equal(first(features), features)
    np.testing.assert_array_equal(halving(features), np.zeros((1, 4, 4, 4), np.float32))
    np.testing.assert_array_equal(last(features), features)
