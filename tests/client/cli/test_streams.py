"""Standard streams that are closed, full, left by their reader, or kept open by their writer."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from images.pictures import encoded, load, pixels, save
from impasto.client.cli import exit_codes
from processes.command_line import wait_until
from processes.watched_process import has_read_all, needs_proc
from servers.model_servers import ModelServer

LOCAL_SERVER_ONLY = "pipes, terminals and signals of the command line"

COMMAND = [sys.executable, "-m", "impasto.client"]


@pytest.fixture(autouse=True)
def photo_beside_a_server(
    committed_server: ModelServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("IMPASTO_SERVER", committed_server.address)
    monkeypatch.chdir(tmp_path)
    save(Path("photo.png"))


def in_shell(line: str) -> subprocess.CompletedProcess[str]:
    """What a shell makes of `impasto` and this line."""
    script = f'impasto() {{ "{sys.executable}" -m impasto.client "$@"; }}; impasto {line}'
    return subprocess.run(
        ["bash", "-c", script],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "line", ["models", "config", "config --json", "upscale photo.png -o -", "completion bash"]
)
@pytest.mark.parametrize(
    ("redirection", "why"), [("> /dev/full", "No space left on device"), (">&-", "Bad file descriptor")]
)
def test_a_result_that_standard_output_does_not_take_is_an_error_in_one_line(
    line: str, redirection: str, why: str
) -> None:
    done = in_shell(f"{line} {redirection}")
    assert done.stderr == f"impasto: cannot write to standard output: {why}\n"
    assert done.returncode == exit_codes.FAILED


@pytest.mark.parametrize("command", ["--help", "upscale --help", "--version"])
def test_a_help_that_finds_no_room_is_an_error_in_one_line(command: str) -> None:
    done = in_shell(f"{command} > /dev/full")
    assert done.stderr == "impasto: No space left on device\n"
    assert done.returncode == exit_codes.FAILED


def test_a_long_job_whose_picture_finds_no_room_is_an_error_in_one_line(dream_server: ModelServer) -> None:
    save(Path("photo.png"), pixels(40, 60))
    done = in_shell(f"dream photo.png -o - --server {dream_server.address} > /dev/full")
    assert done.stderr == "impasto: cannot write to standard output: No space left on device\n"
    assert done.returncode == exit_codes.FAILED


def test_a_closed_standard_input_holds_no_picture() -> None:
    done = in_shell("upscale - -o large.png <&-")
    assert "standard input holds no picture" in done.stderr
    assert done.returncode == exit_codes.USAGE


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
def test_work_is_done_though_nobody_can_be_told(redirection: str) -> None:
    done = in_shell(f"upscale photo.png gone.png -o out {redirection}")
    assert done.stdout == "out/photo.png\n"
    assert done.returncode == exit_codes.FAILED  # of gone.png
    assert load(Path("out/photo.png")).size == (34, 24)


@contextmanager
def pipe_without_reader() -> Iterator[int]:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        yield writing
    finally:
        os.close(writing)


def test_a_folder_whose_reader_goes_away_ends_quietly_and_counts_what_is_done() -> None:
    for name in ("a.png", "b.png", "c.png"):
        save(Path(name))
    with pipe_without_reader() as pipe:
        done = subprocess.run(
            [*COMMAND, "upscale", "a.png", "b.png", "c.png", "-o", "out"],
            stdout=pipe,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == exit_codes.READER_GONE
    assert re.fullmatch(r"[1-3] of 3 pictures done(, [12] not done)?\n", done.stderr)


@pytest.mark.parametrize("command", [["upscale", "photo.png", "-o", "-"], ["models"], ["config", "--json"]])
def test_a_reader_that_goes_away_is_no_fault_of_anything(command: list[str]) -> None:
    with pipe_without_reader() as pipe:
        done = subprocess.run([*COMMAND, *command], stdout=pipe, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (exit_codes.READER_GONE, b"")


@needs_proc
def test_ctrl_c_ends_a_command_that_reads_a_picture_from_a_pipe_that_stays_open() -> None:
    process = subprocess.Popen(
        [*COMMAND, "upscale", "-", "-o", "large.png"], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin is not None
    pipe = process.stdin
    pipe.write(b"the beginning of a picture")
    pipe.flush()
    wait_until(lambda: has_read_all(process.pid, pipe))
    process.send_signal(signal.SIGINT)
    assert process.wait() == exit_codes.INTERRUPTED
    assert process.stderr is not None
    assert b"Traceback" not in process.stderr.read()
    process.stdin.close()
    process.stderr.close()
    assert not Path("large.png").exists()


READING = """
import signal, threading, time
from pathlib import Path
from impasto.client.cli.output import read_all

def interrupt():
    while not Path("reads").exists():
        time.sleep(0.01)
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)

threading.Thread(target=interrupt, daemon=True).start()
try:
    read_all()
except KeyboardInterrupt:
    print("interrupted")
"""


@needs_proc
def test_ctrl_c_that_another_thread_gets_ends_the_reading_of_a_pipe_all_the_same() -> None:
    process = subprocess.Popen([sys.executable, "-c", READING], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    pipe = process.stdin
    pipe.write(b"the beginning of a picture")
    pipe.flush()
    wait_until(lambda: has_read_all(process.pid, pipe))
    Path("reads").touch()
    try:
        assert process.wait(60) == 0
        assert process.stdout.read() == b"interrupted\n"
    finally:
        process.kill()
        process.stdin.close()
        process.stdout.close()


def test_ctrl_c_ends_a_command_whose_picture_nobody_takes_from_the_pipe() -> None:
    save(Path("photo.png"), np.zeros((200, 300, 3), np.uint8))
    process = subprocess.Popen(
        [*COMMAND, "upscale", "photo.png", "-o", "bmp:-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.read(1) == b"B"  # the command writes, and a pipe does not hold the picture
    process.send_signal(signal.SIGINT)
    assert process.wait() == exit_codes.INTERRUPTED
    assert process.stderr is not None
    assert b"Traceback" not in process.stderr.read()
    process.stdout.close()
    process.stderr.close()


def test_a_name_in_no_encoding_is_told_byte_for_byte() -> None:
    Path("in").mkdir()
    name = os.fsdecode(b"\xff0.png")
    (Path("in") / name).write_bytes(Path("photo.png").read_bytes())
    (Path("in") / os.fsdecode(b"\xff1.png")).write_bytes(b"no picture")
    done = subprocess.run(
        [*COMMAND, "upscale", "in", "-o", "out"],
        env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"},
        capture_output=True,
        check=False,
    )
    assert done.stdout == b"out/\xff0.png\n"
    assert b"1.png is not an image" in done.stderr
    assert done.returncode == exit_codes.FAILED
    assert (Path("out") / name).exists()


def test_a_dash_behind_a_slash_is_a_file_and_not_the_pipe() -> None:
    Path("-").write_bytes(Path("photo.png").read_bytes())
    done = in_shell("upscale ./- -o large.png")
    assert (done.stdout, done.stderr) == ("large.png\n", "")
    done = in_shell("upscale photo.png -o ./jpg:-")
    assert done.stdout == "jpg:-/photo.png\n"  # without an extension it is a folder, as any such name is


def test_a_folder_named_like_the_pipe_is_in_nobodys_way() -> None:
    Path("-").mkdir()
    done = subprocess.run(
        [*COMMAND, "upscale", "-", "-o", "-"],
        input=encoded(load(Path("photo.png"))),
        capture_output=True,
        check=True,
    )
    assert done.stdout.startswith(b"\x89PNG")
