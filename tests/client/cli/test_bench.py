"""`impasto bench` and `impasto completion`, with a real server and a real shell."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from impasto.client.cli import exit_codes, run
from scripted.client_servers import aborting, overloaded, prediction, scripted
from servers.model_servers import ModelServer


def test_a_server_is_measured(committed_server: ModelServer, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--server", committed_server.address, "--seconds", "0.3", "--size", "40x30"]
    assert run(["bench", *options, "--concurrency", "1,3", "--json"]) == exit_codes.DONE
    one, three = json.loads(capsys.readouterr().out)
    assert (one["model"], one["concurrency"], three["concurrency"]) == ("srcnn", 1, 3)
    for found in (one, three):
        assert found["calls"] >= found["concurrency"]
        assert found["failed"] == 0
        assert found["first_error"] is None
        assert 0 < found["p50_ms"] <= found["p90_ms"] <= found["p99_ms"] <= found["max_ms"]
        assert found["megapixels_per_second"] == pytest.approx(
            found["calls_per_second"] * 1200 / 1e6, abs=0.0006
        )


def test_long_jobs_are_measured_by_a_step(
    dream_server: ModelServer, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--server", dream_server.address, "--seconds", "0.2", "--size", "40x36", "--concurrency", "2"]
    assert run(["bench", "dream", *options]) == exit_codes.DONE
    said = capsys.readouterr()
    header, row = said.out.splitlines()
    assert header.split()[:4] == ["MODEL", "SIGNATURE", "AT", "ONCE"]
    assert row.split()[:3] == ["dream", "serving_default", "2"]
    assert "dream, 2 at once, 0.2 s" in said.err


def test_a_call_may_take_as_long_as_one_of_the_job_may(
    committed_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["bench", "srcnn", "--server", committed_server.address, "--seconds", "0.1", "--size", "40x30"]
    monkeypatch.setenv("IMPASTO_TIMEOUT_PREDICT", "0.0001")
    assert run(command) == exit_codes.DONE
    monkeypatch.setenv("IMPASTO_TIMEOUT_UPSCALE", "0.0001")
    assert run(command) == exit_codes.UNREACHABLE


def test_a_server_without_such_models_is_told(
    toy_server: ModelServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["bench", "--server", toy_server.address]) == exit_codes.REFUSED
    assert "serves none of srcnn" in capsys.readouterr().err


def test_an_upscaler_of_any_name_is_measured_by_the_factor_asked_for(
    upscaler_server: ModelServer, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--server", upscaler_server.address, "--seconds", "0.1", "--size", "20x16", "--json"]
    assert run(["bench", "enlarger", "--factor", "3", "--concurrency", "2", *options]) == exit_codes.DONE
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["model"], found["signature"]) == ("enlarger", "x3")
    for words, message in (
        (["enlarger", "--factor", "2"], "enlarger does not enlarge by 2: it has --factor 3, 4"),
        (["constant"], "constant keeps none of Impasto's contracts (upscale, stylize, dream, transfer)"),
        (["--factor", "3"], "that enlarges by 3; name a model that it does serve"),
    ):
        assert run(["bench", *words, *options]) == exit_codes.REFUSED
        assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size", "10"], "is not WIDTHxHEIGHT"),
        (["--size", "0x3"], "is not WIDTHxHEIGHT"),
        (["--concurrency", "1,0"], "is not a list of numbers"),
        (["--seconds", "0"], "0.0 is not in the range"),
        (["--seconds", "nan"], "'nan' is not a number"),
        (["--timeout", "nan"], "'nan' is not a number"),
    ],
)
def test_a_wrong_option_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert run(["bench", *arguments]) == exit_codes.USAGE
    assert message in capsys.readouterr().err


def test_calls_that_fail_are_no_figures(capsys: pytest.CaptureFixture[str]) -> None:
    import grpc

    with scripted(aborting(grpc.StatusCode.INTERNAL, "broken")) as server:
        assert run(["bench", "srcnn", "--server", server.address]) == exit_codes.REFUSED
    said = capsys.readouterr()
    assert "broken" in said.err
    assert said.out == ""


def test_calls_that_an_overloaded_server_refuses_are_counted_as_failed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    response = prediction(image=np.zeros((1, 2, 2, 3), np.uint8))
    with scripted(overloaded(response, refusals=3)) as server:
        options = ["--server", server.address, "--concurrency", "4", "--seconds", "0.1", "--json"]
        assert run(["bench", "srcnn", *options]) == exit_codes.FAILED
    (row,) = json.loads(capsys.readouterr().out)
    assert row["failed"] == 3  # of the first four, which do not count where they are answered
    assert "Server Threadpool Exhausted" in row["first_error"]
    assert row["calls"] >= 4


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["up"], {"upscale"}),
        (["dream", "--oct"], {"--octaves", "--octave-scale"}),
        (["completion", "z"], {"zsh"}),
    ],
)
def test_bash_completes_commands_options_and_choices(
    tmp_path: Path, typed: list[str], offered: set[str]
) -> None:
    (tmp_path / "impasto").write_text(f'#!/bin/sh\nexec {sys.executable} -m impasto.client "$@"\n')
    (tmp_path / "impasto").chmod(0o755)
    words = " ".join(["impasto", *typed])
    script = (
        f'PATH="{tmp_path}:$PATH"; eval "$(impasto completion bash)"\n'
        f"COMP_WORDS=({words}); COMP_CWORD={len(typed)}; _impasto_completion impasto\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == offered


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_have_their_script(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    assert run(["completion", shell]) == exit_codes.DONE
    assert f"_IMPASTO_COMPLETE={shell}_complete" in capsys.readouterr().out
