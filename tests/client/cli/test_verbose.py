"""The options -v and -vv: what the client logs, on standard error and above the bars."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from images.pictures import load, pixels, save
from impasto.client.cli import exit_codes, run
from processes.terminals import terminal
from scripted.client_servers import prediction, scripted
from scripted.enlarging import describing
from scripted.outages import Outages
from servers.model_servers import ModelServer

PICTURE = pixels(32, 54)
DOUBLED = prediction(image=np.full((1, 64, 64, 3), 7, np.uint8))
A_WHILE = range(1, 7)


@pytest.mark.parametrize("words", [["-vv", "upscale"], ["upscale", "-vv"], ["-v", "upscale", "-v"]])
def test_twice_it_shows_each_call_and_leaves_the_results_alone(
    words: list[str], committed_server: ModelServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(save(tmp_path / "photo.png", PICTURE)), "-o", str(tmp_path / "large.png"), "--json"]
    code = run([*words, *arguments, "--server", committed_server.address])
    shown = capsys.readouterr()
    assert code == exit_codes.DONE, shown.err
    assert json.loads(shown.out)["done"]
    lines = [line for line in shown.err.splitlines() if line.startswith("impasto: Predict ")]
    assert lines
    assert all(line.startswith("impasto: Predict srcnn version ") and "OK, " in line for line in lines)


def test_nothing_is_left_of_it_for_the_next_command(
    committed_server: ModelServer, capsys: pytest.CaptureFixture[str]
) -> None:
    before = logging.getLogger("impasto.client").level, logging.getLogger("impasto.client").handlers[:]
    assert run(["-vv", "status", "srcnn", "--server", committed_server.address]) == exit_codes.DONE
    assert "impasto: GetModelStatus srcnn" in capsys.readouterr().err
    assert run(["status", "srcnn", "--server", committed_server.address]) == exit_codes.DONE
    assert capsys.readouterr().err == ""
    assert (logging.getLogger("impasto.client").level, logging.getLogger("impasto.client").handlers) == before


def test_once_it_shows_waits_and_no_calls_and_says_them_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMPASTO_RETRIES_ATTEMPTS", "1")
    source, result = save(tmp_path / "photo.png", PICTURE), tmp_path / "large.png"
    with scripted(Outages(describing(lambda *_: DOUBLED), A_WHILE)) as server:
        command = [
            "upscale",
            "-v",
            str(source),
            "-o",
            str(result),
            "--tile",
            "32",
            "--server",
            server.address,
        ]
        assert run(command) == exit_codes.DONE
    begun, ended = capsys.readouterr().err.splitlines()
    assert begun.startswith(f"impasto: a job is waiting for {server.address}, which does not answer: ")
    assert ended.startswith("impasto: a job goes on after ")


def test_on_a_terminal_the_lines_stand_whole_above_the_bars(tmp_path: Path) -> None:
    source, result = save(tmp_path / "photo.png", PICTURE), tmp_path / "large.png"
    with scripted(describing(lambda *_: DOUBLED)) as server, terminal() as screen:
        command = [sys.executable, "-m", "impasto.client", "-vv", "upscale", str(source), "-o", str(result)]
        process = subprocess.Popen(
            [*command, "--tile", "32", "--server", server.address],
            stdout=subprocess.DEVNULL,
            stderr=screen.end,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "200"},
        )
        shown = screen.to_the_end()
        assert process.wait() == exit_codes.DONE, shown
    assert load(result).size == (108, 64)
    lines = [line for line in shown.replace("\r", "\n").splitlines() if "Predict srcnn" in line]
    called = ("describe", "serving_default", "serving_default")
    for line, signature in zip(lines, called, strict=True):  # rich clears a line of bars before it
        assert line.rpartition("\x1b[2K")[2].startswith(f"impasto: Predict srcnn {signature} at ")
        assert line.rstrip().endswith(" received")
