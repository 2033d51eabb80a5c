"""`impasto-export upscaler` as a person runs it: from photos to a version."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from impasto.client.repository.golden import read_golden
from impasto.client.signatures import UPSCALE
from impasto.export import contract
from impasto.export.cli import main
from impasto.export.repository import ModelRepository
from impasto.export.upscale.evaluate import saved_as_jpeg, tasks
from impasto.export.upscale.photos import read_photos
from impasto.export.upscale.publish import exported_upscaler
from oracles.rounding import assert_equal_but_for_rounding

EXAMPLES = Path(__file__).parents[3] / "examples" / "photos"
COMMITTED = EXAMPLES.parents[1] / "models"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """The program in this process, which has TensorFlow already: its exit code, and what it prints."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["impasto-export", "upscaler", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert isinstance(ended.value.code, int)
        return (ended.value.code, *capsys.readouterr())

    return run


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two small photos; one of them has an author."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("coffee", "chelsea"):
        with Image.open(EXAMPLES / f"{name}.png") as photo:
            photo.resize((192, 160)).save(folder / f"{name}.png")
    (folder / "licences.json").write_text('{"coffee.png": {"author": "Rachel Michetti", "licence": "CC0"}}')
    return folder


def test_a_network_is_trained_continued_on_worn_pictures_saved_and_measured(
    run: Run, photos: Path, tmp_path: Path
) -> None:
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff no photo")
    few = ("--epochs", "1", "--steps", "1", "--held-out", photos)
    code, _, said = run("train", photos, "--checkpoint", tmp_path / "clean", *few)
    assert code == 0, said
    assert "left out 1 of the photos" in said
    assert "epoch 1, 100% of the training: error" in " ".join(said.split())
    (photos / "broken.jpg").unlink()
    worn = ("--degradation", "real", "--start-from", tmp_path / "clean")
    code, _, said = run("train", photos, "--checkpoint", tmp_path / "worn", *worn, *few)
    assert code == 0, said
    code, path, said = run("save", tmp_path / "worn", "--models", tmp_path / "models", "--photos", photos)
    assert code == 0, said
    assert path.strip() == str(tmp_path / "models" / "upscaler-small-real" / "1")
    contract.check(UPSCALE, Path(path.strip()))
    manifest = ModelRepository(tmp_path / "models").manifest("upscaler-small-real")
    training = manifest.source["training"]
    assert training["recipe"]["degradation"] == "real"
    assert training["start_from"]["recipe"]["degradation"] == "none"
    assert {photo["licence"] for photo in training["photos"]} == {"CC0", "not stated"}
    figures = manifest.figures["jpeg_50"]["x3"]["photos"]
    with exported_upscaler(tmp_path / "models", "upscaler-small-real") as upscaler:
        for task in tasks(read_photos(photos), 3, wear=partial(saved_as_jpeg, level=50), with_ssim=True):
            score = task.score(partial(upscaler.upscale, factor=3))
            assert figures[score.name]["network"]["psnr_rgb"] == pytest.approx(score.model.psnr_rgb, abs=0.01)
            assert figures[score.name]["bicubic"] == score.bicubic.as_dict(digits=4)


def test_a_published_network_is_exported_anew(run: Run, photos: Path, tmp_path: Path) -> None:
    # One that went on from another network: its record names their photos once.
    shutil.copytree(COMMITTED / "upscaler-small-real", tmp_path / "upscaler-small-real")
    old = ModelRepository(tmp_path).latest("upscaler-small-real")
    code, path, said = run("save", old.path, "--models", tmp_path, "--photos", photos)
    assert code == 0, said
    assert Path(path.strip()).parent == old.path.parent
    manifest = ModelRepository(tmp_path).manifest("upscaler-small-real")
    assert manifest.source["training"]["taken_from"] == f"upscaler-small-real/{old.number}"
    assert manifest.source["training"]["photos"]
    (one,), (other,) = (
        [record.outputs["image"] for record in read_golden(place) if record.signature == "x4"]
        for place in (old.path, Path(path.strip()))
    )
    assert_equal_but_for_rounding(one, other)
    code, _, said = run("save", COMMITTED / "srcnn" / "1", "--models", tmp_path)
    assert code == 1
    assert "does not hold a network of `impasto-export upscaler save`" in said


def test_a_folder_without_a_training_is_named(run: Run, tmp_path: Path) -> None:
    code, _, said = run("save", tmp_path)
    assert code == 1
    assert f"no training checkpoint in {tmp_path}; run `impasto-export upscaler train` first" in said
