"""The dream model's signatures over gRPC, on a tiny network: chunks, tiles, guide, describe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from images.pictures import pixels
from impasto.export.contract import read_meta_graph
from impasto.export.dream.limits import SUGGESTIONS
from impasto.export.stateless import assert_stateless
from toys import dream_models
from toys.dream_calls import Predict

IMAGE = pixels(40, 52)
OCTAVES = [-2, 0, 1]
SIZE = list(IMAGE.shape[:2])


@pytest.fixture(scope="module")
def predict(dream_calls: Predict) -> Predict:
    return dream_calls


def chunked(predict: Predict, image: NDArray[np.uint8], chunks: list[int], **settings: Any) -> Any:
    """A dream as a client makes it: open, ascend once for each of `chunks`, close, for every octave."""
    size = image.shape[:2]
    sizes = predict("describe", size=size, octaves=OCTAVES)["sizes"]
    for octave in sizes:
        state = predict("open", image=image, size=octave)["state"]
        done = 0
        for steps in chunks:
            state = predict("ascend", state=state, steps=steps, first_step=done, **settings)["state"]
            done += steps
        image = predict("close", state=state, size=octave)["image"]
    return predict("close", state=state, size=size)["image"]


@pytest.mark.parametrize("tile", [0, 20])
@pytest.mark.parametrize("chunks", [[6], [1, 5], [2, 2, 2], [1] * 6], ids=str)
def test_a_dream_in_chunks_equals_the_dream_in_one_call_bit_for_bit(
    predict: Predict, chunks: list[int], tile: int
) -> None:
    settings = {"step_size": 0.03, "tile": tile, "seed": 7}
    whole = predict("serving_default", image=IMAGE, octaves=OCTAVES, steps=6, **settings)["image"]
    assert (whole != IMAGE).mean() > 0.9
    np.testing.assert_array_equal(chunked(predict, IMAGE, chunks, **settings), whole)


def test_the_image_alone_is_enough(predict: Predict) -> None:
    spelled_out = predict(
        "serving_default",
        image=IMAGE,
        steps=100,
        step_size=0.01,
        octave_scale=1.3,
        octaves=[-2, -1, 0, 1, 2],
        layer_weights=[0, 1, 2],
        tile=0,
        seed=0,
    )
    np.testing.assert_array_equal(predict("serving_default", image=IMAGE)["image"], spelled_out["image"])


def test_no_step_at_the_own_size_gives_the_picture_back(predict: Predict) -> None:
    still = predict("serving_default", image=IMAGE, steps=0, octaves=[0])["image"]
    assert np.abs(still.astype(int) - IMAGE).max() <= 1  # the usual recipe cuts off, it does not round


def test_describe_names_the_layers_and_what_suits_them(predict: Predict) -> None:
    described = predict("describe")
    assert [name.decode() for name in described["layers"]] == list(dream_models.LAYERS)
    assert described["backbone"].item().decode() == dream_models.ARCHITECTURE.name
    assert described["weights"].item().decode() == dream_models.WEIGHTS
    assert described["layer_weights"].tolist() == [0.0, 1.0, 2.0]
    assert described["suggested_octaves"].tolist() == [-1, 0]
    assert described["minimum_side"] == dream_models.MINIMUM_SIDE
    assert described["maximum_tile_pixels"] == dream_models.LIMITS.maximum_tile_pixels


def test_octaves_have_the_sizes_of_the_usual_recipe(predict: Predict) -> None:
    for size in ([300, 400], [267, 401], [1365, 2048], [10, 7]):
        for scale in (1.3, 1.4, 1.1, 2.0, 1.7):
            octaves = list(range(-8, 9))
            expected = [
                tf.cast(tf.cast(size, tf.float32) * (scale**octave), tf.int32).numpy() for octave in octaves
            ]
            described = predict("describe", size=size, octaves=octaves, octave_scale=scale)
            np.testing.assert_array_equal(described["sizes"], expected)


def test_the_loss_is_the_weighted_sum_of_the_mean_activations(predict: Predict) -> None:
    state = predict("open", image=IMAGE, size=SIZE)["state"]
    alone = [
        predict("ascend", state=state, steps=1, layer_weights=np.eye(3)[layer])["loss"].item()
        for layer in range(3)
    ]
    mixed = predict("ascend", state=state, steps=1, layer_weights=[0.5, -2.0, 3.0])["loss"].item()
    assert mixed == pytest.approx(0.5 * alone[0] - 2.0 * alone[1] + 3.0 * alone[2], rel=1e-5)


def test_steps_raise_the_loss_and_a_negative_weight_lowers_the_activation(predict: Predict) -> None:
    state = predict("open", image=IMAGE, size=SIZE)["state"]
    first = predict("ascend", state=state, steps=1, layer_weights=[0, 0, 1])
    later = predict("ascend", state=first["state"], steps=10, layer_weights=[0, 0, 1])
    assert later["loss"] > first["loss"] > 0
    lower = predict("ascend", state=first["state"], steps=10, layer_weights=[0, 0, -1])
    assert -lower["loss"] < first["loss"]


def test_a_seed_repeats_a_tiled_dream_and_another_seed_gives_another(predict: Predict) -> None:
    def tiled(seed: int) -> Any:
        return predict("serving_default", image=IMAGE, octaves=[0], steps=4, tile=16, seed=seed)["image"]

    np.testing.assert_array_equal(tiled(1), tiled(1))
    assert (tiled(1) != tiled(2)).any()


def test_a_picture_that_fits_one_tile_is_taken_whole(predict: Predict) -> None:
    state = predict("open", image=IMAGE, size=SIZE)["state"]
    whole = predict("ascend", state=state, steps=3)
    tiled = predict("ascend", state=state, steps=3, tile=max(SIZE), seed=5)
    np.testing.assert_array_equal(tiled["state"], whole["state"])
    assert tiled["loss"] == whole["loss"]


def test_tiles_give_nearly_the_whole_pictures_gradient(predict: Predict) -> None:
    big = predict("open", image=pixels(96, 120, seed=3), size=[96, 120])["state"] * 0.5

    def moved(tile: int) -> NDArray[np.float64]:
        after = predict("ascend", state=big, steps=1, step_size=0.01, tile=tile, seed=2)["state"]
        return (after - big).astype(np.float64).ravel()

    assert np.corrcoef(moved(0), moved(48))[0, 1] > 0.85


def test_two_dreams_at_once_do_not_disturb_each_other(predict: Predict) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def dream(seed: int) -> Any:
        return predict("serving_default", image=pixels(40, 52, seed=seed), octaves=OCTAVES, steps=8)["image"]

    alone = [dream(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(dream, range(4)))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_saved_model_changes_no_variable_and_holds_the_weights_once(dream_repository: Path) -> None:
    version = dream_repository / "dream" / "1"
    assert_stateless(version)
    reader = tf.train.load_checkpoint(str(version / "variables" / "variables"))
    kernels = [s for s in reader.get_variable_to_shape_map().values() if len(s) == 4]
    assert sorted(kernels) == [[3, 3, 3, 4], [3, 3, 4, 6], [3, 3, 6, 8]]
    assert b"keras" not in (version / "saved_model.pb").read_bytes().lower()


def test_a_session_leaves_alone_what_a_request_may_never_call(dream_repository: Path) -> None:
    graph = read_meta_graph(dream_repository / "dream" / "1").graph_def
    apart = [function for function in graph.library.function if function.attr["_noinline"].b]
    # With a guide and without: the network, and the terms of each layer.
    assert len(apart) >= 2 * (1 + len(dream_models.LAYERS))
    assert all(function.attr["_tf_data_function"].b for function in apart)


def test_every_backbones_settings_name_its_own_layers() -> None:
    from impasto.export.backbones import BACKBONES

    assert SUGGESTIONS.keys() == BACKBONES.keys()
    for name, suggestions in SUGGESTIONS.items():
        assert suggestions.layers.keys() <= set(BACKBONES[name].layers)
