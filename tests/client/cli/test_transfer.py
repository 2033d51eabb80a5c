"""`impasto transfer`: options, kept pictures, checkpoints, Ctrl-C."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from images.pictures import load, pixels, save
from impasto.client import Client
from impasto.client.cli import exit_codes, run
from impasto.client.settings.addresses import ADDRESS_VARIABLE
from processes.command_line import impasto, wait_until
from servers.model_servers import ModelServer

LOCAL_SERVER_ONLY = "the options of the command; test_folders.py runs it on both"

CONTENT, STYLE, OTHER = pixels(40, 48), 255 - pixels(48, 40, seed=1), pixels(30, 48, seed=2)
COMMAND = ["transfer", "photo.png", "--recipe", "classic", "--style", "style.png", "-o", "out.png"]
SHORT = ["--epochs", "2", "--steps-per-epoch", "3"]


@pytest.fixture(autouse=True)
def pictures_beside_a_server(
    transfer_server: ModelServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[None]:
    monkeypatch.setenv(ADDRESS_VARIABLE, transfer_server.address)
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "photo.png", CONTENT)
    save(tmp_path / "style.png", STYLE)
    save(tmp_path / "other.png", OTHER)
    yield


def painted(server: ModelServer, *styles: NDArray[np.uint8], **options: Any) -> NDArray[np.uint8]:
    with Client(server.address) as client:
        return np.asarray(client.transfer(CONTENT, styles or STYLE, **{"recipe": "classic"} | options))


def shown(path: str) -> NDArray[np.uint8]:
    return np.asarray(load(Path(path)))


def names() -> set[str]:
    return {path.name for path in Path().iterdir()} - {"photo.png", "style.png", "other.png"}


def test_options_reach_the_transfer(transfer_server: ModelServer, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["-s", "other.png", "-w", "2", "-w", "1", *SHORT, "--style-weight", "0.5"]
    arguments += ["--content-weight", "10", "--tv-weight", "2", "--learning-rate", "0.1"]
    arguments += ["--style-layers", "block1_conv1,block3_conv1=0.5", "--content-layers", "block2_conv1"]
    arguments += ["--style-scale", "1.5", "--max-side", "40", "--pyramid", "2", "--start", "noise"]
    arguments += ["--seed", "5", "--mask", "other.png", "--preserve-color", "--painted-size"]
    assert run([*COMMAND, *arguments, "--model-version", "1"]) == exit_codes.DONE
    assert capsys.readouterr().out == "out.png\n"
    expected = painted(
        transfer_server,
        STYLE,
        OTHER,
        weights=[2, 1],
        epochs=2,
        steps_per_epoch=3,
        style_weight=0.5,
        content_weight=10,
        total_variation_weight=2,
        learning_rate=0.1,
        style_layers=["block1_conv1", ("block3_conv1", 0.5)],
        content_layers=["block2_conv1"],
        style_scale=1.5,
        max_side=40,
        pyramid=2,
        start="noise",
        seed=5,
        mask=OTHER,
        preserve_color=True,
        keep_size=False,
    )
    assert expected.shape == (33, 40, 3)
    assert np.array_equal(shown("out.png"), expected)


def test_an_earlier_result_is_painted_further(transfer_server: ModelServer) -> None:
    assert run([*COMMAND, *SHORT, "-q"]) == exit_codes.DONE
    first = shown("out.png")
    further = [*COMMAND[:-1], "further.png", "--start", "out.png", *SHORT, "-q"]
    assert run(further) == exit_codes.DONE
    expected = painted(transfer_server, start=first, epochs=2, steps_per_epoch=3)
    assert np.array_equal(shown("further.png"), expected)


def test_json_tells_what_was_done(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*COMMAND, *SHORT, "--every", "4", "--json"]) == exit_codes.DONE
    told = json.loads(capsys.readouterr().out)
    assert told.pop("seconds") >= 0
    assert told.pop("style_loss") > 0
    assert told.pop("content_loss") > 0
    assert told == {
        "input": "photo.png",
        "output": "out.png",
        "kept": ["out-00004.png"],
        "finished": True,
        "steps": 6,
        "of_steps": 6,
        "total_variation_loss": 0.0,
    }
    assert names() == {"out.png", "out-00004.png"}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--style-layers", "mixed3"], exit_codes.REFUSED, "the model has block1_conv1"),
        (["--style-layers", "block1_conv1=x"], exit_codes.USAGE, "the weight of block1_conv1, is not"),
        (["--steps-per-epoch", "-1"], exit_codes.USAGE, "-1 is not in the range"),
        (["--content-weight", "-1"], exit_codes.USAGE, "-1.0 is not in the range"),
        (["-w", "1", "-w", "2"], exit_codes.USAGE, "2 --weight for 1 --style: give one for each"),
        (["-w", "0"], exit_codes.REFUSED, "the weights of the styles sum to zero"),
        (["-w", "nan"], exit_codes.USAGE, "'nan' is not a number"),
        (["--style-scale", "11"], exit_codes.USAGE, "11.0 is not in the range 0.1<=x<=10.0"),
        (["--pyramid", "0"], exit_codes.USAGE, "0 is not in the range 1<=x<=10"),
        (["--seed", "-1"], exit_codes.USAGE, "-1 is not in the range"),
        (["--style-layers", "block1_conv1=nan"], exit_codes.USAGE, "'nan', the weight of block1_conv1"),
        (["--start", "nosie"], exit_codes.USAGE, "'nosie' is neither 'content' nor 'noise' nor a file"),
        (["--style", "none.png"], exit_codes.USAGE, "'none.png' does not exist"),
        (["--max-side", "3"], exit_codes.REFUSED, "max_side is 3; it must be 16 or more"),
        (["--model-version", "1", "--label", "x"], exit_codes.USAGE, "give one of them"),
        (["--model-version", "7"], exit_codes.REFUSED, "transfer is not served"),
        (["--max-pixels", "100"], exit_codes.FAILED, "1,920 pixels and the limit is 100"),
        (["--server", "127.0.0.1:1"], exit_codes.UNREACHABLE, "no model server answers"),
    ],
)
def test_a_wrong_command_line_writes_nothing(
    arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*COMMAND, *arguments]) == code
    assert words in capsys.readouterr().err
    assert names() == set()


def test_without_a_style_the_usage_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["transfer", "photo.png", "-o", "out.png"]) == exit_codes.USAGE
    assert "Missing option '-s' / '--style'" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["photo.png", "style.png", "other.png"])
def test_no_input_is_ever_replaced(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = Path(name).read_bytes()
    command = [*COMMAND[:-1], name, "--mask", "other.png", "--overwrite", *SHORT]
    assert run(command) == exit_codes.USAGE
    assert f"the result would replace the input {name}" in capsys.readouterr().err
    assert Path(name).read_bytes() == before


def test_a_picture_that_is_not_there_is_an_error_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["transfer", "gone.png", "-s", "style.png", "-o", "out.png"]) == exit_codes.FAILED
    assert capsys.readouterr().err == "impasto: gone.png: No such file or directory\n"


def test_a_result_is_not_replaced_unawares(capsys: pytest.CaptureFixture[str]) -> None:
    save(Path("out.png"))
    assert run([*COMMAND, *SHORT]) == exit_codes.FAILED
    assert "exists and may not be replaced" in capsys.readouterr().err
    assert run([*COMMAND, *SHORT, "--overwrite"]) == exit_codes.DONE


def test_ctrl_c_keeps_the_picture_so_far_and_the_same_command_goes_on(transfer_server: ModelServer) -> None:
    arguments = [*COMMAND, "--checkpoint", "point", "--every", "50"]
    arguments += ["--epochs", "3", "--steps-per-epoch", "100"]
    process = impasto(*arguments, server=transfer_server.address)
    wait_until(lambda: Path("out-00050.png").exists())
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == exit_codes.INTERRUPTED, err
    assert out.splitlines()[-1] == "out.png"
    assert re.search(r"stopped at epoch \d of 3, step \d+ of 300; the picture so far is in out.png", err)
    assert "the same command goes on from point" in err
    assert not np.array_equal(shown("out.png"), CONTENT)
    assert run(arguments) == exit_codes.DONE
    whole = painted(transfer_server, epochs=3, steps_per_epoch=100)
    assert np.array_equal(shown("out.png"), whole)
    assert not Path("point").exists()
    assert Path("out-00250.png").exists()


def test_models_shows_the_network_and_its_layers(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "-s"]) == exit_codes.DONE
    shown = capsys.readouterr().out
    assert "transfer: vgg19, random, for tests" in shown.splitlines()
    assert "  layers block1_conv1 block2_conv1 " in shown


def test_a_recipe_is_named_and_a_field_beats_it(transfer_server: ModelServer) -> None:
    assert (
        run([*COMMAND, "--recipe", "draft", "--steps-per-epoch", "3", "--pyramid", "2", "-q"])
        == exit_codes.DONE
    )
    assert np.array_equal(
        shown("out.png"), painted(transfer_server, recipe="draft", steps_per_epoch=3, pyramid=2)
    )
    assert run([*COMMAND, "--recipe", "finest"]) == exit_codes.USAGE
