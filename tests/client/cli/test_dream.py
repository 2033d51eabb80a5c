"""`impasto dream`: options, kept pictures, checkpoints, Ctrl-C, the progress bar, zooms."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from images.pictures import load, pixels, save
from impasto.client import Client, Dream, zoom_in
from impasto.client.cli import exit_codes, run
from impasto.client.settings.addresses import ADDRESS_VARIABLE
from processes.command_line import impasto, server_process, wait_until
from processes.terminals import terminal
from scripted.altering_proxy import slowed
from servers.model_servers import ModelServer

LOCAL_SERVER_ONLY = "the options of the command; test_folders.py and test_dream_faults.py run it on both"

PICTURE = pixels(40, 60)
ENDLESS = ["--steps", "100000000", "--octaves", "0"]


@pytest.fixture(autouse=True)
def photo_beside_a_server(
    dream_server: ModelServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[None]:
    monkeypatch.setenv(ADDRESS_VARIABLE, dream_server.address)
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "photo.png", PICTURE)
    yield


@pytest.fixture
def client(dream_server: ModelServer) -> Iterator[Client]:
    with Client(dream_server.address) as client:
        yield client


def shown(path: str | Path) -> NDArray[np.uint8]:
    return np.asarray(load(Path(path)))


def dreamt(client: Client, **options: Any) -> NDArray[np.uint8]:
    return np.asarray(client.dream(PICTURE, **options))


def names() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


def test_options_reach_the_dream(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    save(Path("guide.png"), pixels(30, 30, seed=4))
    arguments = ["--layers", "shallow, deep=-0.5", "--octaves", "-2,0,1", "--octave-scale", "1.2"]
    arguments += ["--steps", "3", "--step-size", "0.05", "--preserve-color", "--guide", "guide.png"]
    arguments += ["--tile", "17", "--seed", "9", "--model-version", "1", "--recipe", "classic"]
    assert run(["dream", "photo.png", "-o", "dream.png", *arguments]) == exit_codes.DONE
    assert capsys.readouterr().out == "dream.png\n"
    expected = dreamt(
        client,
        recipe="classic",
        layers=["shallow", ("deep", -0.5)],
        octaves=[-2, 0, 1],
        octave_scale=1.2,
        steps=3,
        step_size=0.05,
        preserve_color=True,
        guide=pixels(30, 30, seed=4),
        tile=17,
        seed=9,
    )
    assert np.array_equal(shown("dream.png"), expected)


def test_nothing_but_the_pictures_takes_what_the_model_suggests(client: Client) -> None:
    assert run(["dream", "photo.png", "-o", "dream.png", "--quiet"]) == exit_codes.DONE
    assert np.array_equal(shown("dream.png"), dreamt(client))


def test_every_keeps_the_picture_at_each_multiple(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--every", "3", "--steps", "4", "--octaves", "0,0"]
    assert run(["dream", "photo.png", "-o", "dream.png", *arguments]) == exit_codes.DONE
    kept = ["dream-00003.png", "dream-00006.png"]
    assert names() == [*kept, "dream.png", "photo.png"]
    assert capsys.readouterr().out.split() == [*kept, "dream.png"]
    assert np.array_equal(shown(kept[0]), dreamt(client, steps=3, octaves=[0]))


def test_pictures_kept_before_are_not_replaced_unawares(capsys: pytest.CaptureFixture[str]) -> None:
    save(Path("dream-00099.png"))
    arguments = ["dream", "photo.png", "-o", "dream.png", "--every", "4"]
    assert run(arguments) == exit_codes.FAILED
    assert "dream-00099.png exists" in capsys.readouterr().err
    assert names() == ["dream-00099.png", "photo.png"]
    assert run([*arguments, "--overwrite"]) == exit_codes.DONE


def test_json_tells_what_was_done(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--recipe", "classic", "--every", "5", "--json"]
    assert run(["dream", "photo.png", "-o", "dream.png", *arguments]) == exit_codes.DONE
    told = json.loads(capsys.readouterr().out)
    assert told.pop("seconds") >= 0
    assert told.pop("loss") > 0
    assert told == {
        "input": "photo.png",
        "output": "dream.png",
        "kept": ["dream-00005.png"],
        "finished": True,
        "steps": 8,
        "of_steps": 8,
    }


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--layers", "mixed3"], exit_codes.REFUSED, "the model has shallow, middle, deep"),
        (["--seed", "2147483648"], exit_codes.USAGE, "2147483648 is not in the range"),
        (["--layers", "deep=much"], exit_codes.USAGE, "'much', the weight of deep, is not a number"),
        (["--layers", "=2"], exit_codes.USAGE, "is not a list such as mixed3,mixed5=0.5"),
        (["--octaves", "-1,x"], exit_codes.USAGE, "is not a list of whole numbers such as -2,-1,0"),
        (["--octaves", "-9"], exit_codes.REFUSED, "tiny needs 8 in width and height"),
        (["--steps", "-1"], exit_codes.USAGE, "-1 is not in the range"),
        (["--step-size", "nan"], exit_codes.USAGE, "'nan' is not a number"),
        (["--model-version", "1", "--label", "x"], exit_codes.USAGE, "give one of them"),
        (["--model-version", "7"], exit_codes.REFUSED, "dream is not served"),
        (["--octave-scale", "50"], exit_codes.USAGE, "50.0 is not in the range 0.1<=x<=10.0"),
        (["-o", "dream.2024"], exit_codes.USAGE, "no picture can be written as '.2024'"),
        (["-o", ""], exit_codes.USAGE, "a picture's name is empty"),
        (["--zoom", "2", "--every", "5"], exit_codes.USAGE, "takes neither --every"),
        (["--zoom", "2", "--resume"], exit_codes.USAGE, "takes neither --every, --checkpoint nor --resume"),
        (["--zoom", "2", "--zoom-factor", "nan"], exit_codes.USAGE, "'nan' is not a number"),
        (["--zoom", "2", "-o", "-"], exit_codes.USAGE, "-o -: --zoom writes a video"),
        (["--zoom", "2", "-o", "a.avi"], exit_codes.USAGE, "--zoom writes a video (.mp4, .m4v, "),
        (["--zoom", "2", "--quality", "9", "-o", "a.mp4"], exit_codes.USAGE, ".mp4 has no such option"),
        (["--zoom", "2"], exit_codes.USAGE, "a .gif, or numbered pictures into a folder"),
        (["--server", "127.0.0.1:1"], exit_codes.UNREACHABLE, "no model server answers"),
    ],
)
def test_a_wrong_command_line_writes_nothing(
    arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["dream", "photo.png", "-o", "dream.png", *arguments]) == code
    assert words in capsys.readouterr().err
    assert names() == ["photo.png"]


def test_neither_the_input_nor_a_result_is_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["dream", "photo.png", "-o", "photo.png", "--overwrite"]) == exit_codes.USAGE
    save(Path("dream.png"))
    before = Path("dream.png").read_bytes()
    assert run(["dream", "photo.png", "-o", "dream.png"]) == exit_codes.FAILED
    assert Path("dream.png").read_bytes() == before
    assert np.array_equal(shown("photo.png"), PICTURE)
    assert "exists and may not be replaced" in capsys.readouterr().err


def test_ctrl_c_keeps_the_picture_so_far_and_the_same_command_goes_on(
    client: Client, dream_server: ModelServer
) -> None:
    arguments = ["dream", "photo.png", "-o", "dream.png", "--checkpoint", "point", "--every", "8"]
    arguments += ["--steps", "24", "--octaves", "0"]
    with slowed(dream_server.address, seconds=0.1) as server:
        process = impasto(*arguments, server=server)
        wait_until(lambda: Path("dream-00008.png").exists())
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == exit_codes.INTERRUPTED, err
    assert out.splitlines()[-1] == "dream.png"
    assert re.search(r"stopped at octave 1 of 1, step \d+ of 24; the picture so far is in dream.png", err)
    assert "the same command goes on from point" in err
    so_far = shown("dream.png")
    assert not np.array_equal(so_far, PICTURE)
    assert run(arguments) == exit_codes.DONE
    whole = dreamt(client, steps=24, octaves=[0])
    assert np.array_equal(shown("dream.png"), whole)
    assert not np.array_equal(so_far, whole)
    assert not Path("point").exists()
    assert Path("dream-00016.png").exists()


def test_ctrl_c_in_json(dream_server: ModelServer) -> None:
    arguments = ["dream", "photo.png", "-o", "dream.png", "--json", "--every", "100", *ENDLESS]
    process = impasto(*arguments, server=dream_server.address)
    wait_until(lambda: Path("dream-00100.png").exists())
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate()
    told = json.loads(out)
    assert (told["finished"], told["output"]) == (False, "dream.png")
    assert 100 <= told["steps"] < told["of_steps"] == 100_000_000


def test_a_checkpoint_of_another_dream_leaves_everything_as_it_is(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    list(client.iterate(Dream(PICTURE, steps=2), checkpoint="point"))
    save(Path("dream.png"))
    before = {path.name: path.read_bytes() for path in Path().iterdir()}
    arguments = ["dream", "photo.png", "-o", "dream.png", "--checkpoint", "point", "--steps", "3"]
    assert run(arguments) == exit_codes.FAILED
    assert "steps is 2 there and 3 here" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in Path().iterdir()} == before


@pytest.mark.parametrize("arguments", [["-o", "dream.png"], ["-o", "frames", "--zoom", "2"]])
def test_a_picture_that_is_not_there_is_an_error_in_one_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["dream", "gone.png", *arguments]) == exit_codes.FAILED
    assert capsys.readouterr().err == "impasto: gone.png: No such file or directory\n"


@pytest.mark.parametrize(
    ("checkpoint", "why"),
    [
        ("photo.png/point", "Not a directory"),
        ("loop", "Too many levels of symbolic links"),
        ("x" * 300, "File name too long"),
    ],
)
def test_a_checkpoint_that_cannot_be_opened_is_an_error_in_one_line(
    checkpoint: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("loop").symlink_to("loop")
    command = ["dream", "photo.png", "-o", "dream.png", "--checkpoint", checkpoint]
    assert run(command) == exit_codes.FAILED
    assert capsys.readouterr().err == f"impasto: {checkpoint}: {why}\n"
    assert names() == ["loop", "photo.png"]


def test_a_picture_on_the_way_that_cannot_be_written_leaves_the_picture_so_far(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("dream-00006.png").mkdir()
    arguments = ["--every", "3", "--steps", "100", "--octaves", "0", "--overwrite"]
    assert run(["dream", "photo.png", "-o", "dream.png", *arguments]) == exit_codes.FAILED
    so_far, why = capsys.readouterr().err.splitlines()
    assert so_far == "impasto: stopped at octave 1 of 1, step 6 of 100; the picture so far is in dream.png"
    assert why == "impasto: cannot write dream-00006.png: it is a folder"
    assert np.array_equal(shown("dream.png"), dreamt(client, steps=6, octaves=[0]))


def test_a_checkpoint_that_can_no_longer_be_written_leaves_the_picture_so_far(
    client: Client, dream_server: ModelServer
) -> None:
    Path("points").mkdir()
    arguments = ["--checkpoint", "points/point", "--every", "100", *ENDLESS]
    process = impasto("dream", "photo.png", "-o", "dream.png", *arguments, server=dream_server.address)
    wait_until(lambda: Path("dream-00100.png").exists() and Path("points/point").exists())
    Path("points").rename("gone")
    _, err = process.communicate()
    assert process.returncode == exit_codes.FAILED, err
    so_far, why = err.splitlines()
    assert so_far.endswith("the picture so far is in dream.png")
    assert why == "impasto: cannot write points/point: No such file or directory"
    assert not np.array_equal(shown("dream.png"), PICTURE)


def on_a_terminal(*arguments: str) -> tuple[int, str, str]:
    """The exit code, what stood on the terminal (standard error), and standard output."""
    with terminal() as screen:
        process = subprocess.Popen(
            [sys.executable, "-m", "impasto.client", *arguments],
            stderr=screen.end,
            stdout=subprocess.PIPE,
            env={**os.environ, "COLUMNS": "150"},
        )
        shown = screen.to_the_end()
        out, _ = process.communicate()
    return process.returncode, shown, out.decode()


def test_the_progress_bar_shows_octave_step_loss_and_time_and_never_jumps_back(
    dream_server: ModelServer,
) -> None:
    arguments = ["--octaves", "-1,0,1,-2", "--steps", "100", "--server"]
    with slowed(dream_server.address, seconds=0.01) as server:
        code, shown, out = on_a_terminal("dream", "photo.png", "-o", "dream.png", *arguments, server)
    assert (code, out) == (exit_codes.DONE, "dream.png\n")
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert re.search(r"octave 2/4  step \d+/100  loss [\d.]+  0:\d\d left", plain)
    percents = [int(found) for found in re.findall(r"(\d+) %", plain)]
    assert len(set(percents)) > 3
    assert percents == sorted(percents)


def test_what_ctrl_c_leaves_is_told_below_the_bar_when_it_has_ended() -> None:
    with terminal() as screen:
        process = subprocess.Popen(
            [sys.executable, "-m", "impasto.client", "dream", "photo.png", "-o", "dream.png", *ENDLESS],
            stdout=screen.end,
            stderr=screen.end,
            env={**os.environ, "COLUMNS": "150"},
        )
        screen.until(rb"step [1-9]")
        process.send_signal(signal.SIGINT)
        shown = screen.to_the_end()
        assert process.wait() == exit_codes.INTERRUPTED
    _, bar_ended, told = shown.rpartition("\x1b[?25h")  # the cursor is shown again
    assert bar_ended
    assert "stopped at octave 1 of 1" in told
    assert told.endswith("\ndream.png\r\n")


def test_no_bar_without_a_terminal_and_none_if_quiet(dream_server: ModelServer) -> None:
    process = impasto("dream", "photo.png", "-o", "a.png", server=dream_server.address)
    assert process.communicate() == ("a.png\n", "")
    code, shown, _ = on_a_terminal("dream", "photo.png", "-o", "b.png", "--quiet")
    assert (code, shown) == (exit_codes.DONE, "")


def test_a_zoom_is_a_gif_of_dreams_each_a_little_closer(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["dream", "photo.png", "--zoom", "3", "--zoom-factor", "1.5", "--octaves", "0"]
    assert run([*arguments, "-o", "zoom.gif", "--json"]) == exit_codes.DONE
    told = json.loads(capsys.readouterr().out)
    assert (told["output"], told["frames"], told["finished"]) == ("zoom.gif", 3, True)
    with Image.open("zoom.gif") as gif:
        assert (gif.n_frames, gif.size, gif.info["loop"], gif.info["duration"]) == (3, (60, 40), 0, 100)  # type: ignore[attr-defined]
    assert run([*arguments, "-o", "zoom.gif"]) == exit_codes.FAILED
    assert "zoom.gif exists" in capsys.readouterr().err


def test_a_zoom_into_a_folder_is_numbered_pictures(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["dream", "photo.png", "--zoom", "2", "--zoom-factor", "1.5", "-o", "frames"]
    assert run(arguments) == exit_codes.DONE
    first, second = (shown(f"frames/frame-0000{number}.png") for number in (1, 2))
    assert np.array_equal(first, dreamt(client))
    closer = zoom_in(Image.fromarray(first), factor=1.5)
    assert np.array_equal(second, np.asarray(client.dream(closer)))
    assert run(arguments) == exit_codes.FAILED
    assert "frame-00001.png exists" in capsys.readouterr().err


def test_a_zoom_is_not_followed_by_the_frames_of_a_longer_one(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["dream", "photo.png", "-o", "frames", "--steps", "1", "--octaves", "0", "--overwrite"]
    assert run([*arguments, "--zoom", "2"]) == exit_codes.DONE
    before = shown("frames/frame-00001.png")
    assert run([*arguments, "--zoom", "1"]) == exit_codes.FAILED
    assert "frame-00002.png is of a longer zoom; delete it" in capsys.readouterr().err
    assert np.array_equal(shown("frames/frame-00001.png"), before)
    assert run([*arguments, "--zoom", "2"]) == exit_codes.DONE


def test_the_bar_of_a_zoom_tells_the_time_left_of_all_frames(
    dream_server: ModelServer,
) -> None:
    arguments = ["--zoom", "4", "--octaves", "0", "--steps", "20", "-o", "zoom.gif", "--server"]
    with slowed(dream_server.address, seconds=0.05) as server:
        _, shown, _ = on_a_terminal("dream", "photo.png", *arguments, server)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    lefts = re.findall(r"frame 1/4 [^\r\n]*? (\d+):(\d\d) left", plain)
    assert lefts
    # Three frames are left at the end of the first, which takes a second.
    assert min(60 * int(minutes) + int(seconds) for minutes, seconds in lefts) > 0


def test_ctrl_c_keeps_the_frames_so_far(dream_server: ModelServer) -> None:
    process = impasto("dream", "photo.png", "-o", "frames", "--zoom", "9999", server=dream_server.address)
    wait_until(lambda: Path("frames/frame-00002.png").exists())
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == exit_codes.INTERRUPTED
    frames = len(list(Path("frames").iterdir()))
    told = re.search(r"stopped after (\d+) of 9999 frames; they are in frames", err)
    # The signal may come after a frame is written and before it is counted.
    assert told and frames - 1 <= int(told[1]) <= frames, err


def test_a_server_that_stops_answering_leaves_the_frames_so_far(
    dream_repository: Path, tmp_path: Path
) -> None:
    log = tmp_path / "server.log"
    with server_process(dream_repository, "-v", log=log) as server:
        # The first call builds the functions, which takes long on a busy machine.
        warm = ["dream", "photo.png", "-o", "warm.png", "--octaves", "0", "--server", server.address]
        assert run(warm) == exit_codes.DONE
        arguments = ["--zoom", "9999", "--octaves", "0", "--timeout", "10"]
        process = impasto("dream", "photo.png", "-o", "zoom.gif", *arguments, server=server.address)
        wait_until(lambda: log.read_text().count("Predict dream OK") > 30)
        server.freeze()
        out, err = process.communicate()
        server.thaw()
    assert process.returncode == exit_codes.UNREACHABLE
    assert out == "zoom.gif\n"
    with Image.open("zoom.gif") as gif:
        frames = gif.n_frames  # type: ignore[attr-defined]
    assert frames > 1
    assert f"stopped after {frames} of 9999 frames; they are in zoom.gif" in err
    assert "did not answer in time" in err


def test_models_shows_the_network_and_where_its_weights_are_from(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["models"]) == exit_codes.DONE
    assert "dream: tiny, random, for tests" in capsys.readouterr().out.splitlines()
    assert run(["models", "-s"]) == exit_codes.DONE
    assert "  layers shallow middle deep\n" in capsys.readouterr().out
    assert run(["models", "--json"]) == exit_codes.DONE
    (dream,) = [m for m in json.loads(capsys.readouterr().out)["models"] if m["model"] == "dream"]
    assert dream["description"]["layers"] == ["shallow", "middle", "deep"]
    assert dream["description"]["suggested_step_size"] == 0.02
