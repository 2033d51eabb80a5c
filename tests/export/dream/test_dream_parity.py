"""The served dream against the usual recipe on Keras' own networks, with equal weights, over gRPC."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from skimage import data

from impasto.client.signatures import DREAM
from impasto.export.backbones import Architecture, Backbone, Weights, inception_v3, load_weights, vgg19
from impasto.export.compute import Compute
from impasto.export.dream.publish import publish
from impasto.export.repository import ModelRepository
from impasto.export.warmup import read_warmup
from oracles import dream_oracle
from oracles.rounding import assert_equal_but_for_rounding
from toys.dream_calls import Predict, serve_dream
from toys.exported import without_golden_records
from toys.fewer_layers import with_layers

# With the layers that the recipes ask for.
INCEPTION_V3 = with_layers(inception_v3.INCEPTION_V3, "mixed3", "mixed5", "mixed7")
VGG19 = with_layers(vgg19.VGG19, "block3_conv1", "block4_conv3", "block5_conv1", "block5_conv2")

GREY_LEVEL = 1 / 127.5
"""One of 255 steps, on the scale -1..1."""

VGG19_RECIPES = [
    (("block4_conv3", "block5_conv2"), (-3, -1, 0, 3)),
    (("block3_conv1", "block4_conv3", "block5_conv1"), (-2, 0, 1)),
]
"""Layers, and octaves."""

INCEPTION_V3_RECIPES = [(("mixed3", "mixed5"), (-2, 0)), (("mixed3", "mixed5", "mixed7"), (-1, 1))]
"""Layers, and octaves."""

SIZE = (130, 158)
"""InceptionV3 takes 75 pixels, in the smallest octave, too."""


def photo(height: int, width: int) -> Any:
    return np.asarray(Image.fromarray(data.chelsea()).resize((width, height)))


def layer_weights(architecture: Architecture, layers: Sequence[str]) -> list[float]:
    return [float(layer in layers) for layer in architecture.layers]


@pytest.fixture(scope="module")
def vgg_weights() -> Weights:
    return load_weights(vgg19.VGG19, "random", seed=1)


@pytest.fixture(scope="module")
def vgg_predict(vgg_weights: Weights, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Predict]:
    models = tmp_path_factory.mktemp("vgg19")
    with without_golden_records():
        publish(VGG19, vgg_weights, models)
    with serve_dream(models, warm_up=False) as predict:
        yield predict


@pytest.fixture(scope="module")
def inception_weights() -> Weights:
    return load_weights(inception_v3.INCEPTION_V3, "random", seed=0)


@pytest.fixture(scope="module")
def inception_keras(inception_weights: Weights) -> Any:
    return dream_oracle.inception_v3(dict(inception_weights.arrays))


@pytest.fixture(scope="module")
def inception_models(inception_weights: Weights, tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = tmp_path_factory.mktemp("inception_v3")
    # Folding rounds differently: see the test of one folded step.
    with without_golden_records():
        publish(INCEPTION_V3, inception_weights, models, fold=False)
    return models


@pytest.fixture(scope="module")
def inception_predict(inception_models: Path) -> Iterator[Predict]:
    with serve_dream(inception_models, warm_up=False) as predict:
        yield predict


@pytest.mark.parametrize(("layers", "octaves"), VGG19_RECIPES)
def test_vgg19_dreams_as_the_usual_recipe_to_one_grey_level(
    vgg_predict: Predict, vgg_weights: Weights, layers: tuple[str, ...], octaves: tuple[int, ...]
) -> None:
    image = photo(40, 52)
    oracle = dream_oracle.DeepDreamer(
        dream_oracle.vgg19(dict(vgg_weights.arrays)), layers, dream_oracle.vgg_input
    )
    expected = oracle.dream(image, steps=3, octaves=octaves).astype(int)
    served = vgg_predict(
        "serving_default",
        image=image,
        steps=3,
        octaves=octaves,
        layer_weights=layer_weights(VGG19, layers),
    )["image"]
    assert np.abs(expected - image).max() > 10
    assert np.abs(served - expected).max() <= 1


@pytest.mark.parametrize(("layers", "octaves"), INCEPTION_V3_RECIPES)
def test_each_octave_on_inception_v3_is_the_usual_recipes_to_one_grey_level(
    inception_predict: Predict,
    inception_keras: Any,
    layers: tuple[str, ...],
    octaves: tuple[int, ...],
) -> None:
    """Every octave of the recipe, from the same picture.

    An untrained InceptionV3 is chaotic: a last bit that differs in one octave is a grey level where the next begins, as
    pixels are cut off in between, and that level alone redraws its surroundings.
    """
    picture = photo(*SIZE)
    oracle = dream_oracle.DeepDreamer(inception_keras, layers)
    weights = layer_weights(INCEPTION_V3, layers)
    sizes = inception_predict("describe", size=picture.shape[:2], octaves=octaves)["sizes"]
    base = tf.cast(picture.shape[:2], tf.float32)
    for octave, size in zip(octaves, sizes, strict=True):
        np.testing.assert_array_equal(size, tf.cast(base * (1.3**octave), tf.int32))
        x = tf.image.resize(picture, size) / 127.5 - 1.0
        state = inception_predict("open", image=picture, size=size)["state"]
        # The oracle runs op by op and the server a graph, whose arithmetic TensorFlow may arrange anew.
        np.testing.assert_allclose(state, x, rtol=0, atol=1e-6)
        after, loss = oracle.ascend(x, 2, 0.01)
        served = inception_predict("ascend", state=state, steps=2, layer_weights=weights)
        assert np.abs(after - x).max() > 10 * GREY_LEVEL
        assert np.abs(served["state"] - after).max() <= GREY_LEVEL
        assert served["loss"] == pytest.approx(float(loss), rel=1e-5)
        picture = tf.cast(255 * (after + 1.0) / 2.0, tf.uint8).numpy()
        assert_equal_but_for_rounding(inception_predict("close", state=after, size=size)["image"], picture)
    last = tf.image.resize(picture, SIZE)
    assert_equal_but_for_rounding(
        inception_predict("close", state=after, size=SIZE)["image"],
        tf.image.convert_image_dtype(last / 255.0, tf.uint8),
    )


@pytest.mark.parametrize("compute", [Compute.FLOAT32, Compute.BFLOAT16_BACKWARD])
def test_a_step_on_the_folded_inception_v3_is_the_kept_ones_to_one_grey_level(
    request: pytest.FixtureRequest, inception_weights: Weights, compute: Compute
) -> None:
    """One step: an untrained InceptionV3 is chaotic, and folding rounds differently.

    Where two places nearly tie for a maximum, the other one gets the gradient; from there two dreams part.
    """
    if compute is not Compute.FLOAT32:
        request.getfixturevalue("bfloat16_convolutions")
    x = tf.constant(photo(172, 210) / np.float32(127.5) - 1.0, tf.float32)
    stepped = []
    kept = Backbone(INCEPTION_V3, inception_weights.arrays, fold=False)
    folded = Backbone(INCEPTION_V3, inception_weights.arrays, compute=compute)
    for backbone in (kept, folded):
        with tf.GradientTape() as tape:
            tape.watch(x)
            mixed3, mixed5 = backbone.activations(x[None], 2)
            loss = tf.reduce_mean(mixed3) + tf.reduce_mean(mixed5)
        gradient = tape.gradient(loss, x)
        stepped.append(tf.clip_by_value(x + 0.01 * gradient / tf.math.reduce_std(gradient), -1.0, 1.0))
    assert np.abs(stepped[0] - x).max() > 10 * GREY_LEVEL
    assert np.abs(stepped[0] - stepped[1]).max() <= GREY_LEVEL


def test_a_picture_below_inception_v3s_minimum_is_refused_and_the_server_lives_on(
    inception_predict: Predict,
) -> None:
    # Without the check inside the graph this ends the process: a division by zero in the convolutions. That the
    # other signatures check it, too, is shown on a smaller network.
    for side in (1, 8, 20, 30, 74):
        with pytest.raises(grpc.RpcError, match="a height and width of 75 pixels or more"):
            inception_predict("ascend", state=np.zeros((side, 100, 3)), steps=1)
    assert inception_predict("ascend", state=np.zeros((75, 75, 3)), steps=1)["state"].shape == (75, 75, 3)


def test_the_manifest_names_the_weights_and_every_signature_is_warmed_up(
    inception_models: Path,
) -> None:
    store = ModelRepository(inception_models)
    source = store.manifest("dream").source
    assert source["backbone"] == "inception_v3"
    assert source["batch_normalisation"] == "kept"
    assert source["weights"]["source"] == "random"
    requests = read_warmup(store.latest("dream").path)
    assert {signature for signature, _ in requests} == set(DREAM.signatures)
