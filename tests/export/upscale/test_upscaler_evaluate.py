"""`impasto-export upscaler evaluate`: models side by side, by factor, from JPEGs, and as a gate."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from impasto.client.repository.manifest import Manifest
from impasto.export.cli import main
from impasto.export.repository import ModelRepository
from impasto.export.upscale.publish import publish
from toys import toy_models
from toys.exported import without_golden_records
from toys.toy_upscalers import bicubic_upscaler

EXAMPLES = Path(__file__).parents[3] / "examples" / "photos"
COMMITTED = EXAMPLES.parents[1] / "models"

Run = Callable[..., tuple[Any, str, str]]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The committed srcnn, an upscaler of three factors, and a model that is none."""
    root = tmp_path_factory.mktemp("models")
    shutil.copytree(COMMITTED / "srcnn" / "3", root / "srcnn" / "3")
    with without_golden_records():
        publish(bicubic_upscaler(4, 3, 2), "any-name", root, source={})
    ModelRepository(root).publish(
        "other", toy_models.half_plus_two(root / ".made"), manifest=Manifest(model="other")
    )
    return root


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A part of a photo whose sides no factor divides."""
    folder = tmp_path_factory.mktemp("photos")
    with Image.open(EXAMPLES / "chelsea.png") as photo:
        photo.convert("RGB").crop((120, 60, 317, 191)).save(folder / "cat.png")
    return folder


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, models: Path, photos: Path
) -> Run:
    def run(*words: str) -> tuple[Any, str, str]:
        options = ("--models", str(models), "--photos", str(photos))
        monkeypatch.setattr("sys.argv", ["impasto-export", "upscaler", "evaluate", *options, *words])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return run


def test_every_upscaler_is_measured_at_each_factor_that_it_has(run: Run) -> None:
    code, out, err = run("--json")
    assert code == 0, err
    entries = {(entry["model"], entry["factor"]): entry for entry in json.loads(out)}
    assert set(entries) == {("srcnn", 2), ("any-name", 2), ("any-name", 3), ("any-name", 4)}
    doubled = entries["srcnn", 2]
    assert (doubled["version"], doubled["photo"], doubled["jpeg"]) == (3, "cat.png", None)
    assert doubled["bicubic"] == entries["any-name", 2]["bicubic"]
    for measure, least in (("psnr_rgb", 0.5), ("psnr_y", 0.5), ("ssim", 0.005)):
        assert doubled["upscaled"][measure] > doubled["bicubic"][measure] + least
        for factor in (2, 3, 4):
            same = entries[
                "any-name", factor
            ]  # this one is bicubic interpolation, too, but for Pillow's rounding
            assert same["upscaled"][measure] == pytest.approx(same["bicubic"][measure], rel=0.01)
    sharpness = [entries["any-name", factor]["bicubic"]["psnr_rgb"] for factor in (2, 3, 4)]
    assert sharpness == sorted(sharpness, reverse=True)


def test_people_see_models_side_by_side_a_row_for_each_photo(run: Run) -> None:
    code, out, err = run("--model", "any-name", "--model", "srcnn:3", "--factor", "2")
    assert code == 0, err
    titles = [line.strip() for line in out.splitlines() if "factor" in line]
    assert titles == [
        f"{what}, factor 2" for what in ("PSNR of RGB in dB", "PSNR of luma in dB", "SSIM of luma")
    ]
    assert out.count("any-name:1") == out.count("srcnn:3") == out.count("cat.png") == out.count("mean") == 3


def test_small_pictures_may_be_jpegs(run: Run) -> None:
    plain, worn, clean = (
        json.loads(run("--json", "--model", "srcnn", *words)[1])[0]
        for words in ((), ("--jpeg", "50"), ("--jpeg", "100"))
    )
    assert (worn["jpeg"], clean["jpeg"]) == (50, 100)
    for way in ("bicubic", "upscaled"):
        assert worn[way]["psnr_rgb"] < clean[way]["psnr_rgb"] < plain[way]["psnr_rgb"]


def test_a_gain_may_be_required_of_each_model_at_each_factor(run: Run) -> None:
    assert run("--model", "srcnn", "--require-gain", "0.5")[0] == 0
    code, _, err = run("--model", "srcnn", "--model", "any-name", "--factor", "2", "--require-gain", "0.5")
    assert code == 1
    assert "error: the mean gain of any-name:1 at factor 2 is" in err
    assert "below --require-gain +0.50 dB" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "srcnn", "--factor", "3"], "srcnn:3 does not enlarge by 3: it has --factor 2"),
        (["--model", "other"], "version 1 of other has none of the signatures x2, x3, x4 of an upscaler"),
        (["--model", "srcnn:1"], "has no version 1"),
        (["--model", "nobody"], "no version of model 'nobody'"),
    ],
)
def test_what_cannot_be_measured_is_named(run: Run, words: list[str], message: str) -> None:
    code, _, err = run(*words)
    assert code == 1
    assert message in " ".join(err.split())


def test_a_photo_without_a_pixel_for_a_factor_is_named(run: Run, photos: Path, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((3, 9, 3), np.uint8)).save(tmp_path / "thin.png")
    code, _, err = run("--photos", str(tmp_path), "--model", "any-name", "--factor", "4")
    assert code == 1
    assert "photo thin.png is less than 4 pixels wide or high" in err
