"""The parts of the recipe `fine`, each beside the same written out in numpy and scipy, over gRPC on a tiny network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray
from scipy import ndimage

from images.pictures import pixels
from impasto.export.backbones import Backbone
from impasto.export.backbones.weights import random_arrays
from toys import dream_models
from toys.dream_calls import Predict

LOCAL_SERVER_ONLY = "what the graph computes; test_dream_served.py has both servers run it"

IMAGE = pixels(40, 52, seed=1)
STEP = 0.02
FINE: dict[str, Any] = {"smoothing": [0.5, 1.3], "shift": 6, "fade_in": 3, "seed": 5}


@pytest.fixture(scope="module")
def predict(dream_calls: Predict) -> Predict:
    return dream_calls


@pytest.fixture(scope="module")
def state(predict: Predict) -> NDArray[np.float32]:
    opened: NDArray[np.float32] = predict("open", image=IMAGE, size=[40, 52])["state"]
    return opened * np.float32(0.8)  # so that no step is cut off


@pytest.fixture(scope="module")
def network() -> Backbone:
    return Backbone(dream_models.ARCHITECTURE, random_arrays(dream_models.ARCHITECTURE))


def gradient(network: Backbone, picture: NDArray[Any]) -> NDArray[np.float64]:
    """The gradient of what the model raises by itself, by TensorFlow's own differentiation."""
    x = tf.constant(picture, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        _, middle, deep = network.activations(x[None], 3)
        loss = tf.reduce_mean(middle) + 2.0 * tf.reduce_mean(deep)
    return np.asarray(tape.gradient(loss, x), np.float64)


def blurred(image: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    reach = int(np.ceil(3 * sigma))
    found: NDArray[np.float64] = ndimage.gaussian_filter(
        image, (sigma, sigma, 0), mode="constant", radius=(reach, reach, 0)
    )
    return found


def change(predict: Predict, state: NDArray[np.float32], **inputs: Any) -> NDArray[np.float32]:
    after: NDArray[np.float32] = predict("ascend", state=state, steps=1, step_size=STEP, **inputs)["state"]
    return after - state


def test_a_smoothed_gradient_is_the_sum_of_its_blurred_copies_each_as_strong(
    predict: Predict, state: NDArray[np.float32], network: Backbone
) -> None:
    plain = gradient(network, state)
    copies = [blurred(plain, sigma) for sigma in (0.5, 1.3, 4.0)]
    smooth = sum(copy / copy.std() for copy in copies)
    expected = STEP * smooth / np.std(smooth)
    np.testing.assert_allclose(change(predict, state, smoothing=[0.5, 1.3, 4.0]), expected, atol=1e-5)


def test_a_shifted_step_sees_the_picture_elsewhere_and_its_mirror_image_beyond_the_border(
    predict: Predict, state: NDArray[np.float32], network: Backbone
) -> None:
    def moved_by(down: int, right: int) -> NDArray[np.float64]:
        around = np.pad(state, [(6, 6), (6, 6), (0, 0)], mode="symmetric")
        seen = np.pad(
            gradient(network, around[6 - down : 46 - down, 6 - right : 58 - right]), [(6, 6)] * 2 + [(0, 0)]
        )
        back = seen[6 + down : 46 + down, 6 + right : 58 + right]
        found: NDArray[np.float64] = STEP * back / back.std()
        return found

    distances = set()
    for first_step in range(4):
        found = change(predict, state, shift=6, seed=5, first_step=first_step)
        # Rows and columns that were out of sight are not changed, which tells the distance, but for its sign.
        rows, columns = (
            40 - np.count_nonzero(np.abs(found).max(axis=(1, 2))),
            52 - np.count_nonzero(np.abs(found).max(axis=(0, 2))),
        )
        signs = [(down, right) for down in {rows, -rows} for right in {columns, -columns}]
        fits = [sign for sign in signs if np.abs(found - moved_by(*sign)).max() < 1e-5]
        assert len(fits) == 1, first_step
        distances.add(fits[0])
    assert len(distances) > 2


def test_a_shift_is_at_most_half_of_a_small_picture(predict: Predict) -> None:
    small = np.full((8, 9, 3), 0.1, np.float32)
    assert np.isfinite(predict("ascend", state=small, steps=4, shift=256)["state"]).all()


def test_the_first_steps_grow_to_the_whole_step(predict: Predict, state: NDArray[np.float32]) -> None:
    whole = change(predict, state)
    for first_step, share in ((0, 0.25), (1, 0.5), (2, 0.75), (3, 1.0), (9, 1.0)):
        faded = change(predict, state, fade_in=4, first_step=first_step)
        np.testing.assert_allclose(faded, share * whole, atol=1e-6)
    assert np.array_equal(change(predict, state, fade_in=1), whole)


@pytest.mark.parametrize("guide", [{}, {"guide": pixels(24, 30, seed=2)}], ids=["plain", "guided"])
@pytest.mark.parametrize("tile", [0, 20])
def test_a_fine_dream_in_chunks_equals_the_one_in_one_call_bit_for_bit(
    predict: Predict, state: NDArray[np.float32], guide: dict[str, Any], tile: int
) -> None:
    signature = "ascend_guided" if guide else "ascend"
    settings = {**FINE, **guide, "tile": tile}
    whole = predict(signature, state=state, steps=5, **settings)
    part = {"state": state}
    for done, steps in ((0, 2), (2, 1), (3, 2)):
        part = predict(signature, state=part["state"], steps=steps, first_step=done, **settings)
    for output in ("state", "loss", "gradient_scale"):
        np.testing.assert_array_equal(part[output], whole[output])
    other = predict(signature, state=state, steps=5, **settings | {"seed": 6})
    assert (other["state"] != whole["state"]).any()


def test_the_defaults_change_no_bit_of_a_classic_dream(predict: Predict, state: NDArray[np.float32]) -> None:
    off: dict[str, Any] = {"smoothing": [], "shift": 0, "fade_in": 0}
    for tile in (0, 20):
        said, unsaid = (predict("ascend", state=state, steps=3, tile=tile, **said) for said in (off, {}))
        np.testing.assert_array_equal(said["state"], unsaid["state"])
    x = tf.constant(state)
    network = Backbone(dream_models.ARCHITECTURE, random_arrays(dream_models.ARCHITECTURE))
    g = tf.constant(gradient(network, state), tf.float32)
    expected = tf.clip_by_value(x + 0.01 * g / tf.math.reduce_std(g), -1.0, 1.0)
    classic = predict("ascend", state=state, steps=1)["state"]
    np.testing.assert_allclose(classic, expected, atol=1e-6)
    opened = [
        predict("open", image=IMAGE, size=[40, 52], **extra)["state"] for extra in ({}, {"details": 0.0})
    ]
    np.testing.assert_array_equal(*opened)


def test_an_octave_begins_with_the_detail_that_the_smaller_one_had_lost(predict: Predict) -> None:
    small = pixels(20, 26, seed=3)
    resized = tf.image.resize(tf.cast(IMAGE, tf.float32), [20, 26])
    lost = IMAGE - tf.image.resize(resized, [40, 52])
    enlarged = tf.image.resize(tf.cast(small, tf.float32), [40, 52])
    for details in (1.0, 0.5):
        expected = np.clip((enlarged + details * lost) / 127.5 - 1.0, -1.0, 1.0)
        inputs = {"image": small, "size": [40, 52], "original": IMAGE, "details": details}
        np.testing.assert_allclose(predict("open", **inputs)["state"], expected, atol=1e-5)


def test_a_dream_that_changes_nothing_gives_the_picture_itself_and_not_a_blurred_one(
    predict: Predict,
) -> None:
    dream: dict[str, Any] = {"image": IMAGE, "steps": 0, "octaves": [-2, -1, 0]}
    blurry, kept = (
        np.abs(predict("serving_default", **dream, details=details)["image"].astype(int) - IMAGE).mean()
        for details in (0.0, 1.0)
    )
    assert kept < 2 < blurry / 2  # pixels are cut off to bytes after each octave
