"""The upscalers that are committed: complete, as good as they claim, and what the contract says."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from impasto.client.signatures import UPSCALE
from impasto.export import contract
from impasto.export.repository import ModelRepository
from impasto.export.stateless import assert_stateless
from impasto.export.upscale.evaluate import saved_as_jpeg, tasks
from impasto.export.upscale.photos import held_out_photos
from impasto.export.upscale.publish import exported_upscaler

LEAST = {
    ("upscaler-small", "clean"): 1.85,
    ("upscaler-base", "clean"): 2.2,
    ("upscaler-small-real", "jpeg_50"): 0.5,
    ("upscaler-base-real", "jpeg_50"): 0.75,
    ("upscaler-large-real", "jpeg_50"): 0.9,
}
"""The mean gain over bicubic interpolation for factor 2, in dB, that each has at least."""


def gains(quality: dict[str, Any]) -> dict[str, float]:
    photos = quality["photos"].items()
    return {name: found["network"]["psnr_rgb"] - found["bicubic"]["psnr_rgb"] for name, found in photos}


@pytest.mark.parametrize("model", [model for model, _ in LEAST])
def test_every_byte_is_the_one_in_the_manifest_and_the_contract_is_kept(
    committed_models: Path, model: str
) -> None:
    repository = ModelRepository(committed_models)
    assert repository.verify(model).ok
    contract.check(UPSCALE, repository.latest(model).path)
    assert_stateless(repository.latest(model).path)
    training = repository.manifest(model).source["training"]
    assert len(training["photos"]) == (51 if model == "upscaler-large-real" else 27)
    assert "not stated" not in {photo["licence"] for photo in training["photos"]}


@pytest.mark.parametrize(("model", "measured"), LEAST)
def test_it_beats_bicubic_by_what_it_was_made_for(committed_models: Path, model: str, measured: str) -> None:
    figures = ModelRepository(committed_models).manifest(model).figures
    assert figures[measured]["x2"]["mean_gain_rgb_db"] >= LEAST[model, measured]
    for factor in ("x2", "x3", "x4"):
        assert min(gains(figures[measured][factor]).values()) > 0.1


@pytest.mark.parametrize("model", ["upscaler-small", "upscaler-base"])
def test_no_photo_is_enlarged_much_worse_than_by_srcnn(committed_models: Path, model: str) -> None:
    repository = ModelRepository(committed_models)
    srcnn = repository.manifest("srcnn").figures["psnr_db"]
    ours = repository.manifest(model).figures["clean"]["x2"]["photos"]
    for name, found in ours.items():
        assert found["network"]["psnr_rgb"] >= srcnn[name]["srcnn_rgb"] - 0.1, name


@pytest.mark.parametrize(("model", "measured"), LEAST)
def test_the_manifest_states_what_is_measured(committed_models: Path, model: str, measured: str) -> None:
    figures = ModelRepository(committed_models).manifest(model).figures[measured]
    (photo,) = (photo for photo in held_out_photos() if photo.name == "chelsea")
    wear = partial(saved_as_jpeg, level=50) if measured == "jpeg_50" else None
    with exported_upscaler(committed_models, model) as upscaler:
        for factor in upscaler.factors:
            (task,) = tasks([photo], factor, wear=wear, with_ssim=True)
            found = task.score(partial(upscaler.upscale, factor=factor))
            stated = figures[f"x{factor}"]["photos"]["chelsea"]["network"]
            assert stated["psnr_rgb"] == pytest.approx(found.model.psnr_rgb, abs=0.02)
            assert stated["ssim"] == pytest.approx(found.model.ssim, abs=0.001)
