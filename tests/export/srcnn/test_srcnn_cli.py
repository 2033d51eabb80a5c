"""`impasto-export srcnn` as a person runs it; what is to be killed as a process of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from impasto.export.cli import cli, main
from impasto.export.repository import ModelRepository
from toys.toy_repository import publish_toy

EXAMPLES = Path(__file__).parents[3] / "examples" / "photos"
PHOTOS = sorted(path.name for path in EXAMPLES.iterdir() if path.suffix in (".png", ".jpg"))
COMMITTED = EXAMPLES.parents[1] / "models"
COMMAND = [sys.executable, "-c", "from impasto.export.cli import main; main()", "srcnn"]


@dataclass(frozen=True)
class Ended:
    """What is left of a command that has ended."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Ended]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """The program in this process, which has TensorFlow already: from its command line to its exit code."""

    def run(*arguments: str | Path) -> Ended:
        monkeypatch.setattr("sys.argv", ["impasto-export", "srcnn", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, *capsys.readouterr())

    return run


def train_arguments(checkpoint: Path) -> list[str]:
    return ["train", str(EXAMPLES), "--checkpoint", str(checkpoint), "--patches", "640", "--epochs", "3"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that was killed after its first epoch and then repeated."""
    folder = tmp_path_factory.mktemp("training")
    with subprocess.Popen(
        [*COMMAND, *train_arguments(folder)], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as process:
        while not (folder / "checkpoint").exists():
            assert process.poll() is None, process.stderr.read() if process.stderr else ""
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    # The photos that are measured by default are many times as large as those that are trained on here.
    held_out = tmp_path_factory.mktemp("held_out")
    with Image.open(EXAMPLES / "chelsea.png") as photo:
        photo.reduce(4).save(held_out / "chelsea.png")
    resumed = CliRunner().invoke(cli, ["srcnn", *train_arguments(folder), "--held-out", str(held_out)])
    assert resumed.exit_code == 0, resumed.output
    epochs = [int(number) for number in re.findall(r"epoch +(\d+):", resumed.stderr)]
    assert epochs[0] > 1  # what was done is not done again
    assert epochs[-1] == 3
    assert "dB in the mean" in " ".join(resumed.stderr.split())
    return folder


def test_a_trained_network_is_saved_as_the_next_version_and_measured(
    run: Run, checkpoint: Path, tmp_path: Path
) -> None:
    shutil.copytree(COMMITTED / "srcnn" / "1", tmp_path / "srcnn" / "1")
    saved = run("save", "--checkpoint", checkpoint, "--models", tmp_path)
    assert saved.returncode == 0, saved.stderr
    assert saved.stdout.strip() == str(tmp_path / "srcnn" / "2")
    assert ModelRepository(tmp_path).verify("srcnn").ok
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in PHOTOS:
        with Image.open(EXAMPLES / name) as photo:
            photo.reduce(4).save(photos / name)
    measured = run("evaluate", "--models", tmp_path, "--photos", photos, "--json")
    assert measured.returncode == 0, measured.stderr
    scores = json.loads(measured.stdout)
    assert [score["photo"] for score in scores] == PHOTOS
    refused = run("evaluate", "--models", tmp_path, "--photos", photos, "--require-gain", "9")
    assert refused.returncode == 1
    assert "below --require-gain +9.00 dB" in refused.stderr


def test_a_published_network_is_exported_anew(run: Run, tmp_path: Path) -> None:
    shutil.copytree(COMMITTED / "srcnn" / "1", tmp_path / "srcnn" / "1")
    saved = run("save", "--from-version", "1", "--models", tmp_path)
    assert saved.returncode == 0, saved.stderr
    repository = ModelRepository(tmp_path)
    first, second = (repository.manifest("srcnn", version) for version in (1, 2))
    assert second.source["training"] == {**first.source["training"], "republished_from": 1}
    assert second.figures["mean_gain_rgb_db"] == pytest.approx(first.figures["mean_gain_rgb_db"], abs=0.01)


def test_only_a_network_of_its_own_is_exported_anew(run: Run, tmp_path: Path) -> None:
    publish_toy(ModelRepository(tmp_path), model="srcnn")
    refused = run("save", "--from-version", "1", "--models", tmp_path)
    assert refused.returncode == 1
    assert "does not hold a network of `impasto-export srcnn save`" in refused.stderr


def test_a_gate_fails_where_nothing_can_be_measured(run: Run, checkpoint: Path, tmp_path: Path) -> None:
    saved = run("save", "--checkpoint", checkpoint, "--models", tmp_path / "models")
    assert saved.returncode == 0, saved.stderr
    assert saved.stdout.strip() == str(tmp_path / "models" / "srcnn" / "1")
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.new("RGB", (64, 48), "black").save(folder / "blank.png")
    for photos, gate in (("alone", "50"), ("alone", "-50"), ("beside a photo", "-50")):
        if photos != "alone":
            shutil.copy(EXAMPLES / "mountain.jpg", folder)
        refused = run("evaluate", "--models", tmp_path / "models", "--photos", folder, "--require-gain", gate)
        assert refused.returncode == 1
        assert "no gain can be measured on blank.png" in refused.stderr
    measured = run("evaluate", "--models", tmp_path / "models", "--photos", folder, "--json")
    assert measured.returncode == 0, measured.stderr

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} in JSON")

    scores = {
        score["photo"]: score["bicubic"] for score in json.loads(measured.stdout, parse_constant=refuse)
    }
    assert None in scores["blank.png"].values()
    assert None not in scores["mountain.jpg"].values()
    shown = run("evaluate", "--models", tmp_path / "models", "--photos", folder)
    assert shown.returncode == 0, shown.stderr
    assert not {"nan", "inf"} & set(re.findall("[a-z]+", shown.stdout.lower()))


@pytest.mark.parametrize("gate", ["nan", "inf", "-inf"])
def test_a_gate_that_is_no_number_is_refused(run: Run, tmp_path: Path, gate: str) -> None:
    refused = run("evaluate", "--models", tmp_path, "--require-gain", gate)
    assert refused.returncode == 2
    assert "is not a number of dB" in refused.stderr


def test_bad_photos_are_named_counted_and_left_out_of_a_training(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    shutil.copytree(EXAMPLES, folder)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff no photo")
    (folder / "empty.png").write_bytes(b"")
    Image.new("RGB", (500, 1)).save(folder / "thin.png")
    (folder / "half.png").write_bytes((folder / "coffee.png").read_bytes()[:5000])
    (folder / "loop.jpg").symlink_to("loop.jpg")
    (folder / "round").symlink_to(".")
    (folder / "zero.png").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe.webp")
    (folder / "camera.heic").write_bytes(b"x")
    (folder / "notes.txt").write_bytes(b"x")
    with Image.open(folder / "coffee.png") as photo:
        photo.convert("CMYK").save(folder / "print.tif")
    odd = Path(os.fsdecode(os.fsencode(folder) + b"/odd\xff\x1b.png"))
    shutil.copy(folder / "coffee.png", odd)
    trained = run(
        *("train", folder, "--checkpoint", tmp_path / "run", "--patches", "128", "--epochs", "1"),
        *("--held-out", folder),
    )
    assert trained.returncode == 0, trained.stderr
    said = " ".join(trained.stderr.split())
    bad = [
        "broken.jpg",
        "empty.png",
        "thin.png",
        "half.png",
        "loop.jpg",
        "zero.png",
        "pipe.webp",
        "camera.heic",
    ]
    for name in bad:
        assert said.count(f"photo {folder / name}:") == 1
    assert f"left out {len(bad)} of the photos" in said
    assert "notes.txt" not in said
    assert "\x1b.png" not in said
    record = json.loads((tmp_path / "run" / "training.json").read_text())
    good = {*PHOTOS, "print.tif", "odd\\udcff\\x1b.png"}
    assert {photo["name"] for photo in record["photos"]} == good


def test_a_training_of_which_no_photo_is_left_says_so_after_the_reasons(run: Run, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for name in ("a.png", "b.jpg"):
        (tmp_path / "photos" / name).write_bytes(b"no photo")
    for arguments in (["--held-out", EXAMPLES], ["--held-out", tmp_path / "photos"]):
        ended = run("train", tmp_path / "photos", "--checkpoint", tmp_path / "run", *arguments)
        assert ended.returncode == 1
        said = " ".join(ended.stderr.split())
        assert said.index("a.png") < said.index("b.jpg") < said.index("error: no photo in")
        assert "can be read; repair them, or name another folder" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "/nowhere"], "error: photo folder /nowhere does not exist"),
        (["save", "--checkpoint", "/nowhere"], "error: no training checkpoint in /nowhere"),
        (["evaluate", "--models", "/nowhere"], "error: "),
        (["evaluate", "--photos", "/nowhere"], "error: photo folder /nowhere does not exist"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_1(run: Run, arguments: list[str], message: str) -> None:
    refused = run(*arguments)
    assert refused.returncode == 1
    assert refused.stderr.startswith(message)
    assert "Traceback" not in refused.stderr


def test_a_repository_that_cannot_be_written_is_named(run: Run, checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    refused = run("save", "--checkpoint", checkpoint, "--models", tmp_path / "file" / "models")
    assert refused.returncode == 1
    assert str(tmp_path / "file") in refused.stderr
    assert "Traceback" not in refused.stderr
