"""The stylizer's signatures as a server runs them, on small random networks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from images.pictures import pixels
from impasto.client.signatures import STYLIZE
from impasto.export import contract
from impasto.export.repository import ModelRepository
from impasto.export.saved_model import ServedModel, load_as_server
from impasto.export.stateless import assert_stateless
from impasto.export.warmup import read_warmup
from oracles.rounding import FLOATS, assert_equal_but_for_rounding
from toys.tiny_stylizer import MAXIMUM_PIXELS, VECTOR_SIZE, tiny_networks

BY_ORDER = 0.01
"""The share of bytes that may differ by a level where float32 sums are in another order: one in a thousand did."""


@pytest.fixture(scope="module")
def version(stylize_repository: Path) -> Path:
    return ModelRepository(stylize_repository).latest("stylize").path


@pytest.fixture(scope="module")
def served(version: Path) -> Iterator[ServedModel]:
    with load_as_server(version) as model:
        yield model


def batch(count: int, height: int, width: int, *, seed: int = 0) -> NDArray[np.uint8]:
    return np.stack([pixels(height, width, seed=seed + i) for i in range(count)])


def stylized(served: ServedModel, content: NDArray[np.uint8], style: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return served.run("serving_default", {"content": content, "style": style})["image"]


def test_it_keeps_the_contract_and_no_state(version: Path) -> None:
    contract.check(STYLIZE, version)
    assert_stateless(version)


def test_every_byte_is_in_the_manifest_which_says_what_is_inside(stylize_repository: Path) -> None:
    repository = ModelRepository(stylize_repository)
    assert repository.verify("stylize").ok
    weights = repository.manifest("stylize").source["weights"]
    assert weights == {"source": "package", "origin": "random", "licence": "none needed", "sha256": {}}


def test_every_signature_is_warmed_up(version: Path, served: ServedModel) -> None:
    requests = read_warmup(version)
    assert {name for name, _ in requests} == set(STYLIZE.signatures)
    for name, inputs in requests:
        served.run(name, inputs)


@pytest.mark.parametrize("sides", [(16, 16), (17, 30), (50, 35)])
def test_a_photo_comes_back_at_its_own_size(served: ServedModel, sides: tuple[int, int]) -> None:
    image = stylized(served, batch(1, *sides), batch(1, 40, 30))
    assert image.dtype == np.uint8
    assert image.shape == (1, *sides, 3)


def test_the_bytes_are_the_networks_output_rounded(served: ServedModel) -> None:
    content, style = batch(1, 20, 24), batch(1, 256, 256, seed=5)
    floats = tiny_networks().stylize(
        tf.constant(content / np.float32(255)), tf.constant(style / np.float32(255))
    )
    exact = floats.numpy() * 255
    assert np.abs(stylized(served, content, style) - exact).max() <= 0.5 + 255 * FLOATS


def test_a_painting_is_looked_at_in_256_by_256(served: ServedModel) -> None:
    style = batch(1, 300, 700)
    resized = tf.image.resize(tf.constant(style, tf.float32), [256, 256], antialias=True)
    vector = served.run("style_vector", {"style": style})["vector"]
    assert vector.shape == (1, VECTOR_SIZE)
    np.testing.assert_allclose(vector, tiny_networks().predictor(resized / 255.0), atol=1e-5)


def test_a_batch_equals_its_photos_one_by_one_within_one_level(served: ServedModel) -> None:
    content, style = batch(8, 24, 33), batch(8, 40, 40, seed=20)
    together = stylized(served, content, style)
    for i in range(8):
        alone = stylized(served, content[i : i + 1], style[i : i + 1])[0]
        assert_equal_but_for_rounding(together[i], alone, share=BY_ORDER)


def test_one_painting_serves_a_batch(served: ServedModel) -> None:
    content, style = batch(3, 24, 24), batch(1, 40, 40)
    repeated = stylized(served, content, style.repeat(3, axis=0))
    # The predictor sees one painting or three: on AVX2 the vector's last bit differs.
    assert_equal_but_for_rounding(stylized(served, content, style), repeated, share=BY_ORDER)
    assert np.abs(repeated.astype(int) - stylized(served, content, 255 - style)).max() > 1


def test_the_vector_and_then_apply_equal_one_call(served: ServedModel) -> None:
    content, style = batch(2, 21, 26), batch(2, 90, 40, seed=7)
    vector = served.run("style_vector", {"style": style})["vector"]
    applied = served.run("apply", {"content": content, "vector": vector})["image"]
    assert_equal_but_for_rounding(applied, stylized(served, content, style), share=BY_ORDER)
    assert not np.array_equal(vector[0], vector[1])


def test_hub_is_the_same_in_floats(served: ServedModel) -> None:
    content, style = batch(1, 23, 26), batch(1, 256, 256, seed=9)
    outputs = served.run(
        "hub", {"placeholder": content / np.float32(255), "placeholder_1": style / np.float32(255)}
    )
    assert outputs["output_0"].dtype == np.float32
    assert np.abs(outputs["output_0"] * 255 - stylized(served, content, style)).max() <= 0.5 + 255 * FLOATS


@pytest.mark.parametrize("count", [1, 3])
def test_it_describes_itself_as_often_as_it_is_asked(served: ServedModel, count: int) -> None:
    inputs: dict[str, Any] = {} if count == 1 else {"query": np.zeros(count, np.int32)}
    described = {name: values.tolist() for name, values in served.run("describe", inputs).items()}
    assert described == {
        "source": [b"package"] * count,
        "weights": [b"random; licence: none needed"] * count,
        "vector_size": [VECTOR_SIZE] * count,
        "minimum_side": [16] * count,
        "maximum_pixels": [MAXIMUM_PIXELS] * count,
    }


EMPTY = np.zeros((1, 0, 20, 3), np.uint8)
BAD: list[tuple[str, dict[str, Any], str]] = [
    (
        "serving_default",
        {"content": batch(1, 15, 64), "style": batch(1, 64, 64)},
        "content must be at least 16",
    ),
    (
        "serving_default",
        {"content": batch(1, 64, 15), "style": batch(1, 64, 64)},
        "content must be at least 16",
    ),
    ("serving_default", {"content": EMPTY, "style": batch(1, 64, 64)}, "content must be at least 16"),
    (
        "serving_default",
        {"content": batch(1, 64, 64)[:0], "style": batch(1, 64, 64)},
        "content has no picture",
    ),
    (
        "serving_default",
        {"content": np.zeros((1, 1024, 1025, 3), np.uint8), "style": batch(1, 64, 64)},
        "content must have at most 1048576 pixels",
    ),
    ("serving_default", {"content": batch(1, 64, 64), "style": EMPTY}, "style must be a picture"),
    (
        "serving_default",
        {"content": batch(1, 64, 64), "style": batch(1, 9, 9)[:0]},
        "style must be a picture",
    ),
    (
        "serving_default",
        {"content": batch(3, 16, 16), "style": batch(2, 64, 64)},
        "style must come once or once for each photo",
    ),
    (
        "serving_default",
        {"content": batch(1, 16, 16), "style": batch(2, 64, 64)},
        "style must come once or once for each photo",
    ),
    (
        "hub",
        {
            "placeholder": batch(1, 12, 16) / np.float32(255),
            "placeholder_1": batch(1, 64, 64) / np.float32(255),
        },
        "placeholder must be at least 16",
    ),
    (
        "hub",
        {
            "placeholder": batch(1, 16, 16) / np.float32(255),
            "placeholder_1": batch(1, 8, 64) / np.float32(255),
        },
        "placeholder_1 must be a picture at least 16 pixels",
    ),
    ("style_vector", {"style": EMPTY}, "style must be a picture"),
    (
        "apply",
        {"content": batch(1, 4, 4), "vector": np.zeros((1, VECTOR_SIZE), np.float32)},
        "content must be",
    ),
    (
        "apply",
        {"content": batch(1, 16, 16), "vector": np.zeros((1, 4), np.float32)},
        f"vector must have {VECTOR_SIZE} numbers, it has",
    ),
    (
        "apply",
        {"content": batch(1, 16, 16), "vector": np.zeros((2, VECTOR_SIZE), np.float32)},
        "vector must come once or once for each photo",
    ),
]


@pytest.mark.parametrize(("signature", "inputs", "message"), BAD)
def test_what_cannot_be_painted_is_refused_by_name(
    served: ServedModel, signature: str, inputs: dict[str, Any], message: str
) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        served.run(signature, inputs)
