"""The backbones against Keras' own networks with equal weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from impasto.export.backbones import BACKBONES, INCEPTION_V3, VGG19, Backbone, BackboneError
from impasto.export.backbones.vgg19 import preprocess
from impasto.export.backbones.weights import random_arrays
from oracles import dream_oracle

PICTURE = np.random.default_rng(5).uniform(-1.0, 1.0, (1, 107, 131, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def inception_arrays() -> dict[str, Any]:
    arrays = random_arrays(INCEPTION_V3, seed=3)
    rng = np.random.default_rng(4)
    for name in arrays:
        if name.endswith("/beta"):
            arrays[name] = rng.normal(0.0, 0.5, arrays[name].shape).astype(np.float32)
    return arrays


@pytest.fixture(scope="module")
def unfolded(inception_arrays: dict[str, Any]) -> list[Any]:
    """The activations of our network that keeps its batch normalisations."""
    found: list[Any] = Backbone(INCEPTION_V3, inception_arrays, fold=False).activations(
        tf.constant(PICTURE), 11
    )
    return found


@pytest.fixture(scope="module")
def vgg_arrays() -> dict[str, Any]:
    arrays = random_arrays(VGG19, seed=3)
    rng = np.random.default_rng(4)
    for name in arrays:
        if name.endswith("/bias"):
            arrays[name] = rng.normal(0.0, 0.5, arrays[name].shape).astype(np.float32)
    return arrays


def keras_activations(model: Any, layers: tuple[str, ...], network_input: Any) -> list[Any]:
    found: list[Any] = tf.keras.Model(model.input, [model.get_layer(name).output for name in layers])(
        network_input
    )
    return found


def assert_same_activations(ours: Any, theirs: Any, name: str) -> None:
    """Assert equality to 1e-5 of the largest, as Keras may sum in another order in each of up to 94 convolutions."""
    assert np.abs(ours - theirs).max() <= 1e-5 * np.abs(theirs).max(), name


def test_inception_v3_is_keras_network(inception_arrays: dict[str, Any], unfolded: list[Any]) -> None:
    model = dream_oracle.inception_v3(inception_arrays)
    expected = keras_activations(model, INCEPTION_V3.layers, PICTURE)
    for name, ours, theirs in zip(INCEPTION_V3.layers, unfolded, expected, strict=True):
        assert_same_activations(ours, theirs, name)


def test_folded_batch_normalisation_keeps_the_activations_within_1e_4(
    inception_arrays: dict[str, Any], unfolded: list[Any]
) -> None:
    folded = Backbone(INCEPTION_V3, inception_arrays, fold=True).activations(tf.constant(PICTURE), 11)
    for name, ours, theirs in zip(INCEPTION_V3.layers, folded, unfolded, strict=True):
        assert np.abs(ours - theirs).max() <= 1e-4 * np.abs(theirs).max(), name


def test_vgg19_is_keras_network(vgg_arrays: dict[str, Any]) -> None:
    pixels = (PICTURE[:, :40, :56] + 1.0) * 127.5
    theirs = tf.keras.applications.vgg19.preprocess_input(pixels.copy())
    np.testing.assert_array_equal(preprocess(tf.constant(pixels)), theirs)
    expected = keras_activations(dream_oracle.vgg19(vgg_arrays), VGG19.layers, theirs)
    found = Backbone(VGG19, vgg_arrays).activations(preprocess(tf.constant(pixels)), 16)
    for name, ours, their in zip(VGG19.layers, found, expected, strict=True):
        assert_same_activations(ours, their, name)


def test_nothing_deeper_than_asked_for_is_built(vgg_arrays: dict[str, Any]) -> None:
    backbone = Backbone(VGG19, vgg_arrays)

    @tf.function
    def two(image: Any) -> Any:
        return backbone.activations(image, 2)

    graph = two.get_concrete_function(tf.TensorSpec([1, 32, 32, 3])).graph
    assert sum(op.type == "Conv2D" for op in graph.get_operations()) == 2


@pytest.mark.parametrize("name", BACKBONES)
def test_random_weights_repeat_with_their_seed_and_neither_fade_nor_explode(name: str) -> None:
    architecture = BACKBONES[name]
    first, again, other = (random_arrays(architecture, seed=seed) for seed in (1, 1, 2))
    assert first.keys() == again.keys()
    for key, value in first.items():
        if key.endswith("/kernel"):
            np.testing.assert_array_equal(value, again[key])
            assert (value != other[key]).any()
    blocks = np.random.default_rng(6).uniform(-1.0, 1.0, (1, 16, 18, 3)).astype(np.float32)
    image = architecture.from_signed(tf.constant(blocks.repeat(8, axis=1).repeat(8, axis=2)))
    deepest = Backbone(architecture, first).activations(image, len(architecture.layers))[-1].numpy()
    spread = float(np.std(deepest) / np.std(image))
    assert 0.01 < spread < 100


def test_weights_of_another_network_are_named(vgg_arrays: dict[str, Any]) -> None:
    arrays = dict(vgg_arrays)
    with pytest.raises(BackboneError, match="inception_v3 needs conv0/kernel"):
        Backbone(INCEPTION_V3, arrays)
    arrays["block1_conv2/kernel"] = np.zeros((3, 3, 64, 32), np.float32)
    with pytest.raises(BackboneError, match=r"vgg19 needs block1_conv2/bias of shape \(32,\)"):
        Backbone(VGG19, arrays)
    arrays["block1_conv2/bias"] = np.zeros(32, np.float32)
    with pytest.raises(
        BackboneError, match=r"block1_conv2/kernel has shape \(3, 3, 64, 32\), not \(3, 3, 64, 64\)"
    ):
        Backbone(VGG19, arrays).activations(tf.zeros([1, 32, 32, 3]), 3)
