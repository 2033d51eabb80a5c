"""The folded network, whose convolutions and gradients are computed in another way than the recipe's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from impasto.client.signatures import DREAM
from impasto.export.backbones import (
    INCEPTION_V3,
    Architecture,
    Backbone,
    Segment,
)
from impasto.export.backbones.weights import random_arrays
from impasto.export.contract import read_meta_graph
from impasto.export.dream.served import DeepDream
from impasto.export.saved_model import load_as_server, save
from impasto.export.stateless import assert_stateless
from toys import dream_models
from toys.one_of_each import ARCHITECTURE, PICTURE, layers_and_gradient


def layer_and_gradient(
    architecture: Architecture, arrays: Any, picture: Any, *, fold: bool, count: int
) -> tuple[Any, Any]:
    """The last of `count` layers, and the gradient of its weighted sum by the picture; float64."""
    layers, gradient = layers_and_gradient(
        Backbone(architecture, arrays, fold=fold), count=count, picture=picture
    )
    return layers[-1].astype(float), gradient.astype(float)


def assert_close(found: Any, expected: Any) -> None:
    assert np.linalg.norm(expected) > 0
    assert np.linalg.norm(found - expected) <= 1e-4 * np.linalg.norm(expected)


@given(
    height=st.integers(1, 5),
    width=st.integers(1, 5),
    padding=st.sampled_from(["SAME", "VALID"]),
    stride=st.integers(1, 2),
)
@settings(max_examples=25, deadline=None)
def test_a_convolution_and_its_gradient_are_the_recipes(
    height: int, width: int, padding: str, stride: int
) -> None:
    segment = Segment(lambda x, conv: conv(x, 7, (height, width), stride=stride, padding=padding), ("only",))
    architecture = replace(ARCHITECTURE, layers=("only",), segments=(segment,))
    arrays = random_arrays(architecture, seed=height * 10 + width)
    folded, kept = (
        layer_and_gradient(architecture, arrays, PICTURE, fold=fold, count=1) for fold in (True, False)
    )
    for found, expected in zip(folded, kept, strict=True):
        assert_close(found, expected)


@given(filters=st.lists(st.integers(1, 9), min_size=1, max_size=4), smoothed=st.none() | st.integers(1, 9))
@settings(max_examples=25, deadline=None)
def test_convolutions_of_one_input_and_their_gradient_are_the_recipes(
    filters: list[int], smoothed: int | None
) -> None:
    names = tuple(f"conv{number}" for number in range(len(filters) + (smoothed is not None)))

    def compute(x: Any, conv: Any) -> Any:
        return tf.concat(conv.heads(x, filters, smoothed=smoothed), axis=3)

    architecture = replace(ARCHITECTURE, layers=("only",), segments=(Segment(compute, names),))
    arrays = random_arrays(architecture, seed=len(filters))
    folded, kept = (
        layer_and_gradient(architecture, arrays, PICTURE, fold=fold, count=1) for fold in (True, False)
    )
    for found, expected in zip(folded, kept, strict=True):
        assert_close(found, expected)


def test_the_smallest_picture_has_a_gradient_from_inception_v3s_deepest_layer() -> None:
    arrays = random_arrays(INCEPTION_V3, seed=3)
    picture = np.random.default_rng(5).uniform(-1.0, 1.0, (75, 75, 3)).astype(np.float32)
    layer, gradient = layer_and_gradient(INCEPTION_V3, arrays, picture, fold=True, count=11)
    kept, _ = layer_and_gradient(INCEPTION_V3, arrays, picture, fold=False, count=11)
    assert np.abs(layer - kept).max() <= 1e-4 * np.abs(kept).max()
    assert np.isfinite(gradient).all()
    assert gradient.any()


@pytest.fixture(scope="module")
def directories(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Path]]:
    """Two models of one network with different weights, saved from one process."""
    root = tmp_path_factory.mktemp("folded")
    for seed in (1, 2):
        module = DeepDream(
            Backbone(ARCHITECTURE, random_arrays(ARCHITECTURE, seed=seed)),
            dream_models.SUGGESTIONS,
            weights=dream_models.WEIGHTS,
            limits=dream_models.LIMITS,
        )
        save(module, root / str(seed), module.functions, contract=DREAM)
    yield [root / "1", root / "2"]


def recipe_step(seed: int) -> Any:
    """A step that raises the deepest layer's mean, with the recipe's operations."""
    x = tf.constant(PICTURE)
    backbone = Backbone(ARCHITECTURE, random_arrays(ARCHITECTURE, seed=seed), fold=False)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_mean(backbone.activations(x[None], 3)[-1])
    gradient = tape.gradient(loss, x)
    return tf.clip_by_value(x + 0.01 * gradient / tf.math.reduce_std(gradient), -1.0, 1.0).numpy()


def test_models_of_other_weights_that_are_loaded_together_step_as_the_recipe_does(
    directories: list[Path],
) -> None:
    request: dict[str, Any] = {
        "state": PICTURE,
        "steps": 1,
        "step_size": 0.01,
        "layer_weights": [0.0, 0.0, 1.0],
    }
    request |= {"first_step": 0, "seed": 0, "tile": 0}
    with ExitStack() as stack:
        served = [
            stack.enter_context(load_as_server(directory, optimised=False)) for directory in directories
        ]
        found = [model.run("ascend", request)["state"] for model in served]
    loaded = [tf.saved_model.load(str(directory)) for directory in directories]
    off = {
        "smoothing": np.zeros(0, np.float32),
        "shift": 0,
        "fade_in": 0,
    }  # without defaults, as TensorFlow calls it
    tensors = {name: tf.constant(value) for name, value in {**request, **off}.items()}
    again = [model.signatures["ascend"](**tensors)["state"].numpy() for model in loaded]
    for seed, *steps in zip((1, 2), found, again, strict=True):
        expected = recipe_step(seed)
        assert np.abs(expected - PICTURE).max() > 0.01
        for step in steps:
            np.testing.assert_allclose(step, expected, atol=1e-5)
    assert np.abs(found[0] - found[1]).max() > 0.01


def test_the_saved_model_holds_the_folded_kernels_once_and_changes_none(directories: list[Path]) -> None:
    for directory in directories:
        assert_stateless(directory)
        reader = tf.train.load_checkpoint(str(directory / "variables" / "variables"))
        kernels = [s for s in reader.get_variable_to_shape_map().values() if len(s) == 4]
        expected = [
            [1, 1, 4, 4],
            [1, 1, 4, 5],
            [1, 1, 4, 6],
            [3, 3, 3, 4],
            [3, 3, 6, 6],
            [3, 3, 6, 6],
            [3, 3, 15, 8],
        ]
        assert sorted(kernels) == expected


def test_the_saved_model_holds_each_segment_once_whatever_the_number_of_depths(
    directories: list[Path],
) -> None:
    """The strided convolution stands for its segment.

    It is there forward alone, for guides, and forward with what the gradient needs.
    """
    graph = read_meta_graph(directories[0]).graph_def
    strided = [
        node
        for function in graph.library.function
        for node in function.node_def
        if node.op == "Conv2D" and node.attr["strides"].list.i[1] == 2
    ]
    assert 1 <= len(strided) <= 3
