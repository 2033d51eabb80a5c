"""The srcnn version that is committed: complete, as good as it claims, and what the contract says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from impasto.client.signatures import UPSCALE
from impasto.export import contract
from impasto.export.repository import ModelRepository
from impasto.export.saved_model import load_as_server
from impasto.export.stateless import assert_stateless
from impasto.export.upscale.evaluate import Score, mean_gain, score_photos
from impasto.export.upscale.photos import held_out_photos
from impasto.export.upscale.publish import exported_upscaler
from impasto.export.warmup import read_warmup


@pytest.fixture(scope="module")
def scores(committed_models: Path) -> list[Score]:
    with exported_upscaler(committed_models, "srcnn") as upscaler:
        return score_photos(held_out_photos(), upscaler.upscale)


def test_every_byte_is_the_one_in_the_manifest(committed_models: Path) -> None:
    assert ModelRepository(committed_models).verify("srcnn").ok


def test_it_beats_bicubic_by_what_the_readme_says(scores: list[Score]) -> None:
    assert mean_gain(scores) >= 1.2
    assert min(score.gain_rgb for score in scores) >= 0.3


def test_the_manifest_states_the_figures_that_are_measured(
    committed_models: Path, scores: list[Score]
) -> None:
    figures = ModelRepository(committed_models).manifest("srcnn").figures
    assert figures["mean_gain_rgb_db"] == pytest.approx(mean_gain(scores), abs=0.01)
    for score in scores:
        assert figures["psnr_db"][score.name]["srcnn_rgb"] == pytest.approx(score.model.psnr_rgb, abs=0.02)


def test_the_manifest_states_a_licence_for_every_training_photo(committed_models: Path) -> None:
    photos = ModelRepository(committed_models).manifest("srcnn").source["training"]["photos"]
    assert len(photos) == 27
    assert {photo["licence"] for photo in photos} == {"CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "GPL-2+"}


def test_it_keeps_the_contract_and_no_state(committed_models: Path) -> None:
    directory = ModelRepository(committed_models).latest("srcnn").path
    contract.check(UPSCALE, directory)
    assert_stateless(directory)


def test_it_carries_warm_up_requests(committed_models: Path) -> None:
    requests = list(read_warmup(ModelRepository(committed_models).latest("srcnn").path))
    assert [(name, [array.shape for array in inputs.values()]) for name, inputs in requests] == [
        ("describe", []),
        ("serving_default", [(1, 32, 48, 3)]),
        ("x2", [(1, 32, 48, 3)]),
        ("serving_default", [(2, 32, 48, 3)]),
    ]


def test_it_paints_as_the_versions_before_of_which_the_first_resized_as_no_gpu_can(
    committed_models: Path,
) -> None:
    repository = ModelRepository(committed_models)
    photo = held_out_photos()[0].pixels[None, 100:300, 50:333]
    doubled: dict[tuple[int, str], NDArray[np.uint8]] = {}
    for number, signature in (
        (1, "serving_default"),
        (2, "serving_default"),
        (3, "serving_default"),
        (3, "x2"),
    ):
        with load_as_server(repository.version("srcnn", number).path) as served:
            doubled[number, signature] = served.run(signature, {"image": photo})["image"]
    first, second, *now = doubled.values()
    assert np.abs(second.astype(int) - first).max() <= 1
    for found in now:
        np.testing.assert_array_equal(found, second)
    trainings = [repository.manifest("srcnn", number).source["training"] for number in (2, 3)]
    assert [training["republished_from"] for training in trainings] == [1, 2]


def test_it_says_what_it_is(committed_models: Path) -> None:
    with load_as_server(ModelRepository(committed_models).latest("srcnn").path) as served:
        told = {name: array.tolist() for name, array in served.run("describe", {"query": [5, 6]}).items()}
    for name, number in (("reach", 5), ("overlap", 5), ("tile", 512), ("minimum_side", 1)):
        assert told[name] == [number, number]
    assert told["factors"] == [[2], [2]]
    assert told["network"] == 2 * [b"SRCNN 9-1-5"]
    assert b"27 photos (CC-BY-4.0, CC-BY-SA-4.0, CC0-1.0, GPL-2+)" in told["weights"][0]


def test_no_server_batches_it(committed_models: Path) -> None:
    version = ModelRepository(committed_models).latest("srcnn").path
    # The file by which a server with --enable_per_model_batching_parameters knows the versions to batch.
    assert not (version / "batching_params.pbtxt").exists()
