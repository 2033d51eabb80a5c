"""Networks that compute in bfloat16, wholly or on the way back alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import data

from impasto.client.signatures import DREAM
from impasto.export.backbones import (
    INCEPTION_V3,
    VGG19,
    Architecture,
    Backbone,
    BackboneError,
    Provenance,
    Segment,
    Weights,
)
from impasto.export.backbones.weights import random_arrays
from impasto.export.compute import Compute
from impasto.export.dream.limits import SUGGESTIONS
from impasto.export.dream.publish import publish
from impasto.export.dream.served import DeepDream
from impasto.export.repository import ModelRepository
from impasto.export.saved_model import load_as_server, save
from impasto.export.stateless import assert_stateless
from oracles import dream_oracle
from toys import dream_models
from toys.exported import without_golden_records
from toys.fewer_layers import with_layers
from toys.one_of_each import ARCHITECTURE, PICTURE, layers_and_gradient

GREY_LEVEL = 1 / 127.5
"""One of 255 steps, on the scale -1..1."""

ERROR = 0.02
"""Of a convolution's gradient, beside its own length: bfloat16 keeps 8 bits, so it rounds by up to 1/256."""


def _architecture(*, normalised: bool) -> Architecture:
    return replace(ARCHITECTURE, normalised=normalised)


def _cosine(one: Any, other: Any) -> float:
    one, other = one.astype(float), other.astype(float)
    return float(np.sum(one * other) / (np.linalg.norm(one) * np.linalg.norm(other)))


@pytest.mark.usefixtures("bfloat16_convolutions")
@pytest.mark.parametrize("normalised", [True, False])
def test_bfloat16_gives_nearly_the_same_activations_and_gradient(normalised: bool) -> None:
    architecture = _architecture(normalised=normalised)
    arrays = random_arrays(architecture, seed=1)
    exact, gradient = layers_and_gradient(Backbone(architecture, arrays), count=3)
    backbone = Backbone(architecture, arrays, compute=Compute.BFLOAT16)
    near, near_gradient = layers_and_gradient(backbone, count=3)
    for variable in backbone.variables:
        first = variable.name.startswith("shallow/")
        assert variable.dtype == (tf.float32 if first else tf.bfloat16)
    assert 0 < np.linalg.norm(near[-1] - exact[-1]) <= 0.03 * np.linalg.norm(exact[-1])
    assert _cosine(gradient, near_gradient) >= 0.95


@pytest.mark.usefixtures("bfloat16_convolutions")
@pytest.mark.parametrize("normalised", [True, False])
def test_bfloat16_backward_alters_the_gradient_alone_and_hardly(normalised: bool) -> None:
    architecture = _architecture(normalised=normalised)
    arrays = random_arrays(architecture, seed=1)
    exact, gradient = layers_and_gradient(Backbone(architecture, arrays), count=3)
    backbone = Backbone(architecture, arrays, compute=Compute.BFLOAT16_BACKWARD)
    found, near = layers_and_gradient(backbone, count=3)
    assert {variable.dtype for variable in backbone.variables} == {tf.float32}
    for ours, theirs in zip(found, exact, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert 0 < np.linalg.norm(near - gradient) <= ERROR * np.linalg.norm(gradient)


@pytest.mark.usefixtures("bfloat16_convolutions")
@given(
    height=st.integers(1, 5),
    width=st.integers(1, 5),
    padding=st.sampled_from(["SAME", "VALID"]),
    stride=st.integers(1, 2),
)
@settings(max_examples=25, deadline=None)
def test_a_convolutions_gradient_in_bfloat16_is_nearly_the_recipes(
    height: int, width: int, padding: str, stride: int
) -> None:
    def compute(x: Any, conv: Any) -> Any:
        # The picture's own convolution is left in float32.
        return conv(conv(x, 6, (1, 1)), 7, (height, width), stride=stride, padding=padding)

    architecture = replace(ARCHITECTURE, layers=("only",), segments=(Segment(compute, ("before", "only")),))
    arrays = random_arrays(architecture, seed=height * 10 + width)
    _, exact = layers_and_gradient(Backbone(architecture, arrays, fold=False), count=1)
    backward = Backbone(architecture, arrays, compute=Compute.BFLOAT16_BACKWARD)
    _, near = layers_and_gradient(backward, count=1)
    assert 0 < np.linalg.norm(near - exact) <= ERROR * np.linalg.norm(exact)


def _small_dream(compute: Compute) -> DeepDream:
    return DeepDream(
        Backbone(ARCHITECTURE, random_arrays(ARCHITECTURE, seed=1), compute=compute),
        dream_models.SUGGESTIONS,
        weights=dream_models.WEIGHTS,
        limits=dream_models.LIMITS,
    )


@pytest.fixture(scope="module")
def exact_change() -> Any:
    """What a step of the small network changes in float32, without a server."""
    ascend = _small_dream(Compute.FLOAT32).functions["ascend"]
    inputs = {"steps": tf.constant(1), "layer_weights": tf.constant([0.0, 0.0, 1.0])}
    return ascend(state=tf.constant(PICTURE), **inputs)["state"].numpy() - PICTURE


@pytest.mark.usefixtures("bfloat16_convolutions")
@pytest.mark.parametrize("compute", [Compute.BFLOAT16_BACKWARD, Compute.BFLOAT16])
def test_it_is_served_and_steps_nearly_as_float32(
    tmp_path: Path, exact_change: Any, compute: Compute
) -> None:
    module = _small_dream(compute)
    save(module, tmp_path / "model", module.functions, contract=DREAM)
    assert_stateless(tmp_path / "model")
    with load_as_server(tmp_path / "model", optimised=False) as served:
        found = served.run("ascend", {"state": PICTURE, "steps": 1, "layer_weights": [0.0, 0.0, 1.0]})
    assert found["state"].dtype == np.float32
    change = found["state"] - PICTURE
    assert _cosine(exact_change, change) >= 0.95
    assert (exact_change != change).any()


@pytest.mark.usefixtures("bfloat16_convolutions")
def test_a_step_of_vgg19_is_the_usual_recipes_to_a_fifth_of_a_grey_level() -> None:
    """One step: from there two dreams part, as units near zero are active in one and not in the other."""
    arrays = random_arrays(VGG19, seed=1)
    layers = ("block4_conv3", "block5_conv2")
    x = np.asarray(Image.fromarray(data.chelsea()).resize((84, 64))) / np.float32(127.5) - 1
    oracle = dream_oracle.DeepDreamer(dream_oracle.vgg19(dict(arrays)), layers, dream_oracle.vgg_input)
    expected, loss = oracle.ascend(tf.constant(x), 1, 0.01)
    backbone = Backbone(with_layers(VGG19, *layers), arrays, compute=Compute.BFLOAT16_BACKWARD)
    # The served function itself; the small network shows that a server runs it as it is.
    functions = DeepDream(backbone, SUGGESTIONS["vgg19"], weights=dream_models.WEIGHTS).functions
    found = functions["ascend"](
        state=tf.constant(x), steps=tf.constant(1), layer_weights=tf.constant([1.0, 1.0])
    )
    assert np.abs(expected - x).max() > 10 * GREY_LEVEL
    assert np.abs(found["state"] - expected).max() <= GREY_LEVEL / 5
    assert found["loss"].numpy() == pytest.approx(float(loss), rel=1e-6)


@pytest.mark.parametrize("compute", [Compute.BFLOAT16_BACKWARD, Compute.BFLOAT16])
def test_batch_normalisation_is_not_computed_in_bfloat16(compute: Compute) -> None:
    with pytest.raises(BackboneError, match="only with its batch normalisation folded; leave out --no-fold"):
        Backbone(ARCHITECTURE, random_arrays(ARCHITECTURE, seed=1), fold=False, compute=compute)


def test_a_version_says_what_it_computes_in(tmp_path: Path) -> None:
    architecture = replace(ARCHITECTURE, name=INCEPTION_V3.name, layers=INCEPTION_V3.layers[3:6])
    arrays = random_arrays(architecture, seed=0)
    weights = Weights(arrays, Provenance(source="random", origin="drawn", licence="none needed"))
    with without_golden_records():
        publish(architecture, weights, tmp_path, compute=Compute.BFLOAT16_BACKWARD)
    store = ModelRepository(tmp_path)
    assert store.manifest("dream").source["compute"] == "bfloat16-backward"
    with load_as_server(store.latest("dream").path, optimised=False) as served:
        told = served.run("describe", {})
    assert told["weights"].item() == b"drawn; licence: none needed; computes in bfloat16-backward"
