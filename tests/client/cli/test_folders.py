"""Folders of pictures on the command line: several at once, in order, resumed; and pictures through pipes."""

from __future__ import annotations

import io
import itertools
import signal
import subprocess
import sys
from pathlib import Path

import grpc
import numpy as np
import pytest
from PIL import Image

from images.pictures import pixels, save
from impasto.client import Client
from impasto.client.cli import exit_codes, run
from processes.terminals import terminal
from scripted.client_servers import prediction, scripted
from scripted.counting_server import counting
from scripted.enlarging import asks_what_it_is, description
from servers.model_servers import ModelServer

COMMAND = [sys.executable, "-m", "impasto.client"]
of_the_client = pytest.mark.local_server_only("the server of srcnn is not asked")
DREAM = ["--steps", "3", "--octaves", "0"]
TRANSFER = ["--epochs", "1", "--steps-per-epoch", "2"]


@pytest.fixture
def holiday(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with seven pictures and one that is none, in the current one."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "holiday"
    folder.mkdir()
    for number in range(8):
        save(folder / f"{number}.png", pixels(20, 24, seed=number))
    (folder / "5.png").write_bytes(b"hello")
    return folder


@pytest.fixture(autouse=True)
def address(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, server_kind: str) -> str:
    """Of the server with the committed srcnn, which commands use unless told otherwise."""
    server: ModelServer = request.getfixturevalue("committed_server")
    monkeypatch.setenv("IMPASTO_SERVER", server.address)
    return server.address


@of_the_client
def test_a_folder_waits_for_a_server_that_is_overloaded_from_its_first_question_on(holiday: Path) -> None:
    (holiday / "5.png").unlink()
    calls = itertools.count()

    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        if next(calls) in (0, 2):
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "Server Threadpool Exhausted")
        if asks_what_it_is(request):
            return description(version=1)
        return prediction(image=np.zeros((1, 40, 48, 3), np.uint8))

    with scripted(answer) as server:
        command = ["upscale", "holiday", "-o", "large", "--concurrency", "1", "--server", server.address]
        assert run(command) == exit_codes.DONE
    assert len(list(Path("large").glob("*.png"))) == 7


@pytest.mark.parametrize("concurrency", ["1", "3", "20"])
def test_several_pictures_at_once_are_those_one_by_one_and_told_in_order(
    holiday: Path, address: str, capsys: pytest.CaptureFixture[str], concurrency: str
) -> None:
    assert run(["upscale", "holiday", "-o", "large", "--concurrency", concurrency]) == exit_codes.FAILED

    said = capsys.readouterr()
    assert said.out.splitlines() == [f"large/{number}.png" for number in (0, 1, 2, 3, 4, 6, 7)]
    assert "5.png is not an image" in said.err
    assert said.err.rstrip().endswith("7 of 8 pictures done, 1 failed")
    with Client(address) as client:
        for number in (0, 4, 7):
            expected = client.upscale(holiday / f"{number}.png")
            with Image.open(f"large/{number}.png") as found:
                assert np.array_equal(np.asarray(found), np.asarray(expected))


def test_a_folder_with_the_name_of_a_result_is_not_the_result(
    holiday: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("large/0.png").mkdir(parents=True)
    assert run(["upscale", "holiday/0.png", "holiday/1.png", "-o", "large", "--resume"]) == exit_codes.FAILED
    said = capsys.readouterr()
    assert said.out == "large/1.png\n"
    assert "large/0.png: it is a folder" in said.err


@of_the_client
def test_resume_and_overwrite_contradict_each_other(
    holiday: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["upscale", "holiday", "-o", "large", "--resume", "--overwrite"]) == exit_codes.USAGE
    assert "give one of them" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("fixture", "command"),
    [
        ("dream_server", ["dream", *DREAM]),
        ("transfer_server", ["transfer", *TRANSFER, "-s", "painting.png"]),
    ],
    ids=["dream", "transfer"],
)
def test_a_folder_can_dream_and_be_transferred(
    request: pytest.FixtureRequest,
    server_kind: str,
    holiday: Path,
    capsys: pytest.CaptureFixture[str],
    fixture: str,
    command: list[str],
) -> None:
    server: ModelServer = request.getfixturevalue(fixture)
    save(Path("painting.png"), pixels(40, 36, seed=9))
    for number in (3, 4, 6, 7):
        (holiday / f"{number}.png").unlink()
    for number in (0, 1, 2):
        save(holiday / f"{number}.png", pixels(36, 48, seed=number))
    folder = [*command, "holiday", "-o", "out", "--server", server.address]

    assert run(folder) == exit_codes.FAILED

    assert capsys.readouterr().out.splitlines() == [f"out/{number}.png" for number in (0, 1, 2)]
    assert run([*command, "holiday/1.png", "-o", "one.png", "--server", server.address]) == exit_codes.DONE
    assert Path("one.png").read_bytes() == Path("out/1.png").read_bytes()
    assert run([*folder, "--checkpoint", "file"]) == exit_codes.USAGE
    assert "--checkpoint is for one picture" in capsys.readouterr().err


def test_a_picture_goes_through_pipes_in_the_format_that_is_asked_for(holiday: Path, address: str) -> None:
    source = (holiday / "0.png").read_bytes()
    with Client(address) as client:
        expected = np.asarray(client.upscale(source))
    for output, kind in (("-", "PNG"), ("png:-", "PNG"), ("bmp:-", "BMP")):
        done = subprocess.run(
            [*COMMAND, "upscale", "-", "-o", output],
            input=source,
            capture_output=True,
            check=True,
        )
        with Image.open(io.BytesIO(done.stdout)) as found:
            assert found.format == kind
            assert np.array_equal(np.asarray(found), expected)


@pytest.mark.parametrize(
    ("command", "fixture"),
    [
        (["dream", *DREAM, "-", "-o", "-"], "dream_server"),
        (["transfer", *TRANSFER, "-", "-s", "painting.png", "-o", "-"], "transfer_server"),
    ],
    ids=["dream", "transfer"],
)
def test_long_jobs_go_through_pipes_too(
    request: pytest.FixtureRequest, server_kind: str, holiday: Path, command: list[str], fixture: str
) -> None:
    server: ModelServer = request.getfixturevalue(fixture)
    save(Path("painting.png"), pixels(40, 36, seed=9))
    picture = save(Path("photo.png"), pixels(36, 48)).read_bytes()
    done = subprocess.run(
        [*COMMAND, *command, "--server", server.address],
        input=picture,
        capture_output=True,
        check=True,
    )
    with Image.open(io.BytesIO(done.stdout)) as found:
        assert found.size == (48, 36)


@of_the_client
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-", "-o", "-", "--json"], "both would go to standard output"),
        (["-", "holiday/0.png", "-o", "out"], "- is for one picture"),
        (["holiday", "-o", "-"], "- is for one picture"),
        (["-", "-o", "holiday"], "holiday is a folder"),
        (["-", "-o", "psd:-"], "no picture can be written as '.psd'"),
        (["-", "-o", "large.png"], "standard input holds no picture"),
    ],
)
def test_a_pipe_that_makes_no_sense_is_refused(holiday: Path, arguments: list[str], message: str) -> None:
    done = subprocess.run([*COMMAND, "upscale", *arguments], input=b"", capture_output=True, check=False)
    assert message in done.stderr.decode()
    assert done.returncode in (exit_codes.USAGE, exit_codes.FAILED)
    assert done.stdout == b""


@of_the_client
def test_pictures_on_the_way_cannot_go_through_a_pipe(
    holiday: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["dream", "holiday/0.png", "-o", "-", "--every", "2"]) == exit_codes.USAGE
    assert "pictures on the way need a file's name" in capfd.readouterr().err


@of_the_client
def test_no_picture_is_written_to_a_terminal(holiday: Path) -> None:
    with terminal() as screen:
        done = subprocess.run(
            [*COMMAND, "upscale", "holiday/0.png", "-o", "-"],
            stdout=screen.end,
            stderr=subprocess.PIPE,
            check=False,
        )
        assert screen.to_the_end() == ""
    assert done.returncode == exit_codes.USAGE
    assert b"standard output is a terminal" in done.stderr


@of_the_client
def test_ctrl_c_in_a_folder_keeps_what_is_done_and_leaves_no_half_file(holiday: Path) -> None:
    """The server answers nothing, so that nothing can be done; what would be under way is given up."""
    with counting(seconds=600.0) as server:
        process = subprocess.Popen(
            [*COMMAND, "upscale", "holiday", "-o", "large", "--server", server.address, "--timeout", "600"],
            stderr=subprocess.PIPE,
        )
        assert server.arrived.wait(240)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
    assert process.returncode == exit_codes.INTERRUPTED
    assert b"interrupted" in said
    assert b"Traceback" not in said
    assert not Path("large").exists() or not list(Path("large").iterdir())


@of_the_client
def test_a_folder_of_a_server_that_is_away_stops_at_once(
    holiday: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["upscale", "holiday", "-o", "large", "--server", "127.0.0.1:1"]) == exit_codes.UNREACHABLE
    assert capsys.readouterr().err.count("no model server answers") == 1
