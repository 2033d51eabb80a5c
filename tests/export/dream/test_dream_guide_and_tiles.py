"""Dreaming towards another picture, and dreaming in tiles, over gRPC on a tiny network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from images.pictures import pixels
from impasto.export.backbones import Backbone
from impasto.export.backbones.weights import random_arrays
from toys import dream_models
from toys.dream_calls import Predict

LOCAL_SERVER_ONLY = "what the graph computes; test_dream_served.py has both servers run it"

IMAGE = pixels(40, 52, seed=1)
GUIDE = pixels(24, 30, seed=2)[::-1]


@pytest.fixture(scope="module")
def predict(dream_calls: Predict) -> Predict:
    return dream_calls


def guided_step(state: NDArray[np.float32], weights: list[float], step_size: float) -> tuple[Any, float]:
    """One step towards GUIDE, written out: each place times the guide's vector of the largest dot product."""
    network = Backbone(dream_models.ARCHITECTURE, random_arrays(dream_models.ARCHITECTURE))
    guide = tf.constant(GUIDE, tf.float32)[None] / 127.5 - 1.0
    x = tf.constant(state)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.constant(0.0)
        layers = zip(weights, network.activations(x[None], 3), network.activations(guide, 3), strict=True)
        for weight, ours, theirs in layers:
            channels = ours.shape[-1]
            places, features = tf.reshape(ours, [-1, channels]), tf.reshape(theirs, [-1, channels])
            best = np.argmax(places.numpy() @ features.numpy().T, axis=1)
            loss += weight * tf.reduce_mean(places * tf.gather(features, best))
    gradient = tape.gradient(loss, x)
    stepped = x + step_size * gradient / tf.math.reduce_std(gradient)
    return tf.clip_by_value(stepped, -1.0, 1.0).numpy(), float(loss)


@pytest.mark.parametrize("weights", [[0.0, 0.0, 1.0], [0.5, 0.0, 2.0], [1.0, 1.0, 0.0]], ids=str)
def test_a_guided_step_goes_to_the_guides_best_fitting_features(
    predict: Predict, weights: list[float]
) -> None:
    state = predict("open", image=IMAGE, size=[40, 52])["state"]
    served = predict(
        "ascend_guided", state=state, guide=GUIDE, steps=1, step_size=0.02, layer_weights=weights
    )
    expected, loss = guided_step(state, weights, 0.02)
    assert served["loss"] == pytest.approx(loss, rel=1e-4)
    np.testing.assert_allclose(served["state"], expected, atol=1e-4)


def test_guides_differ_and_none_is_the_plain_dream(predict: Predict) -> None:
    state = predict("open", image=IMAGE, size=[40, 52])["state"]
    plain = predict("ascend", state=state, steps=5)["state"]
    one = predict("ascend_guided", state=state, guide=GUIDE, steps=5)["state"]
    other = predict("ascend_guided", state=state, guide=255 - GUIDE, steps=5)["state"]
    assert (plain != one).any()
    assert (one != other).any()


@pytest.mark.parametrize("tile", [0, 20])
def test_a_guided_dream_in_chunks_equals_the_one_in_one_call_bit_for_bit(predict: Predict, tile: int) -> None:
    state = predict("open", image=IMAGE, size=[40, 52])["state"]
    settings = {"guide": GUIDE, "tile": tile, "seed": 3, "step_size": 0.03}
    whole = predict("ascend_guided", state=state, steps=5, **settings)
    for done, steps in ((0, 2), (2, 1), (3, 2)):
        part = predict("ascend_guided", state=state, steps=steps, first_step=done, **settings)
        state = part["state"]
    np.testing.assert_array_equal(part["state"], whole["state"])
    assert part["loss"] == whole["loss"]


def test_a_picture_and_a_guide_of_many_places_are_compared_in_parts(predict: Predict) -> None:
    # 130 x 150 places with 200 x 210: more scores than are held at once.
    state = predict("open", image=pixels(130, 150), size=[130, 150])["state"]
    guide = pixels(200, 210, seed=4)
    guided = predict("ascend_guided", state=state, guide=guide, steps=1, layer_weights=[1, 0, 0])
    assert np.isfinite(guided["loss"])
    assert guided["gradient_scale"] > 0


def seam(change: NDArray[np.float32], tile: int) -> float:
    """How much sharper the change is across the worst column in `tile` than across the usual column."""
    edges = np.abs(np.diff(change, axis=1)).mean(axis=(0, 2))
    by_column = [edges[column::tile].mean() for column in range(tile)]
    return float(max(by_column) / np.median(by_column))


def test_shifts_leave_no_seam_where_unshifted_tiles_would(predict: Predict) -> None:
    rng = np.random.default_rng(0)
    state = rng.normal(0.0, 0.1, (96, 160, 3)).astype(np.float32)
    settings = {"tile": 16, "seed": 1, "step_size": 0.002, "layer_weights": [0, 0, 1]}
    shifted = predict("ascend", state=state, steps=60, **settings)["state"]
    stuck = state
    for _ in range(60):  # the same first_step each time: the same shift
        stuck = predict("ascend", state=stuck, steps=1, **settings)["state"]
    assert seam(stuck - state, 16) > 1.1
    assert seam(shifted - state, 16) < 1.07
