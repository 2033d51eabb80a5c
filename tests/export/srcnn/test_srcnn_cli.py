"""`impasto-export srcnn` as a person runs it; what is to be killed as a process of its own."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from impasto.export.cli import main
from impasto.export.repository import ModelRepository

EXAMPLES = Path(__file__).parents[3] / "examples" / "photos"
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
    command = [*COMMAND, *train_arguments(folder)]
    resumed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert resumed.returncode == 0, resumed.stderr
    epochs = [int(number) for number in re.findall(r"epoch +(\d+):", resumed.stderr)]
    assert epochs[0] > 1  # what was done is not done again
    assert epochs[-1] == 3
    assert "dB in the mean" in " ".join(resumed.stderr.split())
    return folder


def test_a_trained_network_is_saved_as_the_next_version_and_measured(
    run: Run, checkpoint: Path, tmp_path: Path
) -> None:
    for number in (1, 2):
        saved = run("save", "--checkpoint", checkpoint, "--models", tmp_path)
        assert saved.returncode == 0, saved.stderr
        assert saved.stdout.strip() == str(tmp_path / "srcnn" / str(number))
    assert ModelRepository(tmp_path).verify("srcnn").ok
    measured = run("evaluate", "--models", tmp_path, "--photos", EXAMPLES, "--json")
    assert measured.returncode == 0, measured.stderr
    scores = json.loads(measured.stdout)
    assert [score["name"] for score in scores] == ["astronaut.png", "chelsea.png", "coffee.png"]
    refused = run("evaluate", "--models", tmp_path, "--photos", EXAMPLES, "--require-gain", "9")
    assert refused.returncode == 1
    assert "below --require-gain +9.00 dB" in refused.stderr


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
