"""The parts of the transfer graph, each against an independent computation."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from images.pictures import pixels
from impasto.export.backbones import Backbone, BackboneError
from impasto.export.backbones.gradients import Gradients, Readings, deepest
from impasto.export.backbones.vgg19 import preprocess
from impasto.export.branches import counted
from impasto.export.compute import Compute
from impasto.export.transfer import adam, losses
from impasto.export.transfer.descent import Average, averaged
from impasto.export.transfer.objective import (
    Objective,
    feature_sizes,
    gram_sizes,
    starts,
    terms,
    total,
)
from impasto.export.transfer.served import read_targets
from toys import transfer_models
from toys.transfer_models import WHOLE_ARCHITECTURE, tiny_arrays, tiny_transfer

LAYERS = WHOLE_ARCHITECTURE.layers
layer_weights = partial(transfer_models.weights_of, LAYERS)
tiny_backbone = partial(transfer_models.tiny_backbone, architecture=WHOLE_ARCHITECTURE)
RNG = np.random.default_rng(3)


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return tiny_backbone()


@pytest.fixture(scope="module")
def gradients(backbone: Backbone) -> Gradients:
    return Gradients(backbone, prepare, terms, Objective.specs(len(LAYERS)))


@pytest.fixture(scope="module")
def readings(backbone: Backbone) -> Readings:
    per_layer = tf.TensorSpec([len(LAYERS)], tf.int32)
    return Readings(backbone, prepare, read_targets, per_layer, per_layer)


def prepare(image: Any) -> Any:
    return preprocess(255.0 * image[None])


def targets(readings: Readings, image: Any, style: Any, content: Any) -> tuple[Any, Any]:
    """The Gram matrices and the activations of the weighted layers, one after the other."""
    weights = tf.constant(style), tf.constant(content)
    grams, features = zip(*readings(image, deepest(sum(weights)), *map(counted, weights)), strict=True)
    return tf.concat(grams, 0), tf.concat(features, 0)


def picture(height: int, width: int, seed: int = 0) -> Any:
    return tf.constant(pixels(height, width, seed=seed).astype(np.float32) / 255.0)


def activations(backbone: Backbone, image: Any) -> list[Any]:
    """Every layer's activation."""
    return backbone.activations(prepare(image), len(LAYERS))


@pytest.mark.usefixtures("bfloat16_convolutions")
def test_bfloat16_convolutions_give_nearly_the_same_activations() -> None:
    image = picture(48, 64)
    low = tiny_backbone(compute=Compute.BFLOAT16)
    assert [low.below(index).dtype for index in range(2, len(LAYERS) + 1)] == [tf.bfloat16] * 15
    assert low.below(1).dtype == tf.float32
    for ours, exact in zip(activations(low, image), activations(tiny_backbone(), image), strict=True):
        assert tf.norm(ours - exact) / tf.norm(exact) < 0.03


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("block1_conv1/kernel", (3, 3, 4, 4)),
        ("block3_conv2/kernel", (5, 5, 8, 8)),
        ("block3_conv2/kernel", (8, 8)),
        ("block5_conv4/bias", (13,)),
    ],
)
def test_weights_that_are_not_vgg19s_are_refused(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(BackboneError, match=name.split("/")[0]):
        tiny_backbone(tiny_arrays(architecture=WHOLE_ARCHITECTURE) | {name: np.zeros(shape, np.float32)})
    missing = tiny_arrays(architecture=WHOLE_ARCHITECTURE)
    del missing[name]
    with pytest.raises(BackboneError, match=name.split("/")[0]):
        tiny_backbone(missing)


def test_the_gram_matrix_is_the_mean_product_of_channels() -> None:
    activation = RNG.normal(0, 3, (1, 5, 7, 4)).astype(np.float32)
    expected = np.einsum("bijc,bijd->cd", activation, activation) / 35
    np.testing.assert_allclose(losses.gram(tf.constant(activation)), expected, rtol=1e-5)


def test_the_written_derivatives_are_those_of_automatic_differentiation() -> None:
    activation = tf.constant(RNG.normal(0, 2, (1, 5, 7, 4)), tf.float32)
    # A Gram target from a client need not be symmetric.
    gram_target = tf.constant(RNG.normal(0, 2, (4, 4)), tf.float32)
    target = tf.constant(RNG.normal(0, 2, (1, 5, 7, 4)), tf.float32)
    weight = tf.constant(3.0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(activation)
        style = weight * tf.reduce_mean(tf.square(losses.gram(activation) - gram_target))
        content = weight * tf.reduce_mean(tf.square(activation - target))
    for compute, loss in (
        (losses.style_loss(weight, lambda _: gram_target, tf.constant(0)), style),
        (losses.content_loss(weight, lambda _: target, tf.constant(0)), content),
    ):
        found, derivative = compute(activation)
        np.testing.assert_allclose(found, loss, rtol=1e-5)
        np.testing.assert_allclose(derivative, tape.gradient(loss, activation), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("style", "content", "variation"),
    [
        (layer_weights(block1_conv1=1, block5_conv1=2), layer_weights(block5_conv2=3), 0.0),
        (layer_weights(block2_conv2=1, block3_conv4=0.5), layer_weights(block2_conv2=3, block1_conv1=1), 0.2),
        (layer_weights(block5_conv4=1), layer_weights(block5_conv4=3), 0.0),
        (layer_weights(block1_conv1=1), layer_weights(block1_conv1=0.1), 1.0),
    ],
    ids=["usual", "a layer of both", "deepest", "first"],
)
@pytest.mark.parametrize("size", [(40, 52), (37, 51), (16, 16)], ids=str)
def test_the_whole_gradient_is_that_of_automatic_differentiation(
    backbone: Backbone,
    gradients: Gradients,
    readings: Readings,
    size: tuple[int, int],
    style: Any,
    content: Any,
    variation: float,
) -> None:
    image, other = picture(*size), picture(*size, seed=1)
    grams, features = targets(readings, other, style, content)
    objective = Objective(
        style=tf.constant(style),
        content=tf.constant(content),
        grams=grams,
        features=features,
        gram_starts=starts(gram_sizes(backbone), tf.constant(style)),
        feature_starts=starts(feature_sizes(backbone, tf.constant(size)), tf.constant(content)),
        style_counts=counted(tf.constant(style)),
        content_counts=counted(tf.constant(content)),
        scaled=tf.constant(0),
    )
    found, gradient = gradients(image, deepest(tf.constant(style + content)), objective)
    variation_found, smoothing = losses.total_variation(image, tf.constant(variation), tf.constant(0))
    gradient += smoothing

    goals = activations(backbone, other)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(image)
        ours = activations(backbone, image)
        style_loss = tf.add_n(
            [
                w * tf.reduce_mean(tf.square(losses.gram(a) - losses.gram(b)))
                for w, a, b in zip(style, ours, goals, strict=True)
            ]
        )
        content_loss = tf.add_n(
            [w * tf.reduce_mean(tf.square(a - b)) for w, a, b in zip(content, ours, goals, strict=True)]
        )
        variation_loss = variation * tf.image.total_variation(image)
        loss = style_loss + content_loss + variation_loss
    expected = tape.gradient(loss, image).numpy()
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-5 * np.abs(expected).max())
    expected_losses = [style_loss, content_loss, variation_loss]
    np.testing.assert_allclose([*found, variation_found], expected_losses, rtol=1e-5)


def test_targets_are_the_wanted_layers_one_after_the_other(backbone: Backbone, readings: Readings) -> None:
    image = picture(33, 47)
    style = layer_weights(block1_conv2=1, block4_conv1=2)
    content = layer_weights(block3_conv1=1, block5_conv2=1)
    grams, features = targets(readings, image, style, content)
    layers = dict(zip(LAYERS, activations(backbone, image), strict=True))
    flat = [tf.reshape(losses.gram(layers[name]), [-1]) for name in ("block1_conv2", "block4_conv1")]
    np.testing.assert_allclose(grams, tf.concat(flat, 0), rtol=1e-5)
    flat = [tf.reshape(layers[name], [-1]) for name in ("block3_conv1", "block5_conv2")]
    np.testing.assert_allclose(features, tf.concat(flat, 0), rtol=1e-5)
    assert total(gram_sizes(backbone), tf.constant(style)) == grams.shape[0]
    assert total(feature_sizes(backbone, tf.constant([33, 47])), tf.constant(content)) == features.shape[0]


def test_nothing_deeper_than_the_deepest_weighted_layer_is_computed() -> None:
    broken = tiny_arrays()
    for name in ("block3_conv1", "block5_conv2"):
        broken[f"{name}/kernel"] = np.full_like(broken[f"{name}/kernel"], np.nan)
    functions = tiny_transfer(broken).functions
    image, style = pixels(32, 40), pixels(24, 30, seed=1)
    shallow = {
        "style_layer_weights": tf.constant(transfer_models.layer_weights(block1_conv1=1)),
        "content_layer_weights": tf.constant(transfer_models.layer_weights(block2_conv1=1)),
    }
    result = functions["serving_default"](content=image, style=style, steps=tf.constant(3), **shallow)[
        "image"
    ]
    assert (result.numpy() != image).any()
    deeper = shallow | {"content_layer_weights": tf.constant(transfer_models.layer_weights(block3_conv1=1))}
    with pytest.raises(tf.errors.InvalidArgumentError):
        functions["serving_default"](content=image, style=style, steps=tf.constant(3), **deeper)


def test_adam_is_keras_adam_with_a_clip_to_a_few_last_bits() -> None:
    image = tf.constant(RNG.uniform(0, 1, (6, 7, 3)), tf.float32)
    state, variable = adam.start(image), tf.Variable(image)
    optimizer = tf.keras.optimizers.Adam(0.02, beta_1=0.99, beta_2=0.999, epsilon=1e-1)
    usual = adam.Adam(tf.constant(0.02), **{name: tf.constant(value) for name, value in adam.USUAL.items()})
    for step in range(1, 30):
        gradient = tf.constant(RNG.normal(0, 10.0 ** RNG.integers(-4, 5), image.shape), tf.float32)
        state = adam.update(
            state,
            gradient,
            step=tf.constant(float(step)),
            adam=usual,
            rests=(adam.rest(usual.beta_1), adam.rest(usual.beta_2)),
            mask=tf.ones([1, 1, 1]),
        )
        optimizer.apply_gradients([(gradient, variable)])
        variable.assign(tf.clip_by_value(variable, 0.0, 1.0))
        # Keras may arrange its arithmetic otherwise; an epsilon that is 0.1 % off differs by 6e-6.
        np.testing.assert_allclose(state.image, variable, rtol=0, atol=1e-6)


def test_scaled_losses_and_their_derivatives_are_those_of_automatic_differentiation() -> None:
    activation = tf.constant(RNG.normal(0, 20, (1, 5, 7, 4)), tf.float32)
    gram_target = tf.constant(RNG.normal(0, 20, (4, 4)), tf.float32)
    target = tf.constant(RNG.normal(0, 2, (1, 5, 7, 4)), tf.float32)
    image, weight, scaled = picture(9, 7), tf.constant(3.0), tf.constant(1)

    def quotient(difference: Any) -> Any:
        return weight * tf.norm(difference) ** 2 / tf.norm(difference, ord=1)

    with tf.GradientTape(persistent=True) as tape:
        tape.watch([activation, image])
        style = quotient(losses.gram(activation) - gram_target)
        content = quotient(activation - target)
        pairs = [(image[1:], image[:-1]), (image[:, 1:], image[:, :-1])]
        variation = weight * tf.add_n([tf.norm(one - other) ** 2 for one, other in pairs]) / (9 * 7 * 3)
    for (found, derivative), loss, by in (
        (losses.style_loss(weight, lambda _: gram_target, scaled)(activation), style, activation),
        (losses.content_loss(weight, lambda _: target, scaled)(activation), content, activation),
        (losses.total_variation(image, weight, scaled), variation, image),
    ):
        np.testing.assert_allclose(found, loss, rtol=1e-5)
        np.testing.assert_allclose(derivative, tape.gradient(loss, by), rtol=1e-4, atol=1e-6)
    same, none = losses.content_loss(weight, lambda x: x, scaled)(activation)
    assert same == 0.0 and not none.numpy().any()


def test_the_average_is_the_weighted_mean_of_the_pictures_so_far() -> None:
    pictures = RNG.uniform(0, 1, (9, 4, 5, 3)).astype(np.float32)
    for decay in (0.0, 0.6, 0.99):
        average = Average(
            tf.constant(pictures[5]), tf.constant(0.0)
        )  # what is there before the first does not count
        for count, image in enumerate(pictures, 1):
            average = averaged(average, tf.constant(image), tf.constant(decay), adam.rest(tf.constant(decay)))
            weights = decay ** np.arange(count - 1, -1, -1.0)
            expected = np.tensordot(weights / weights.sum(), pictures[:count].astype(np.float64), 1)
            np.testing.assert_allclose(average.image, expected, atol=2e-6)
        assert average.count == len(pictures)
