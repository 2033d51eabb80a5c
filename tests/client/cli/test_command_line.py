"""The `impasto` command: help, exit codes, and what the server serves."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from impasto.client.cli import exit_codes, run
from impasto.client.settings.addresses import ADDRESS_VARIABLE
from scripted.client_servers import aborting, scripted
from scripted.counting_server import counting
from servers.model_servers import ModelServer, serving
from toys import toy_models


@pytest.fixture(autouse=True)
def at_the_committed_server(committed_server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(ADDRESS_VARIABLE, committed_server.address)
    yield


@pytest.mark.parametrize("command", [[], ["upscale"], ["models"], ["status"]])
def test_every_command_has_help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command, "--help"]) == exit_codes.DONE
    assert "Usage: impasto" in capsys.readouterr().out


def test_the_help_shows_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    run(["--help"])
    shown = capsys.readouterr().out
    codes = [value for name, value in vars(exit_codes).items() if name.isupper()]
    assert len(codes) == 7
    for code in codes:
        assert f"\n    {code:<4} " in shown


def test_the_version_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == exit_codes.DONE
    assert capsys.readouterr().out.startswith("impasto, version 0.")


@pytest.mark.parametrize(
    "arguments", [["nope"], ["upscale"], ["status", "--timeout", "0"], ["models", "--nope"]]
)
def test_a_wrong_command_line_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == exit_codes.USAGE
    assert "Usage: impasto" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["models"], ["status"], ["status", "srcnn"]])
def test_a_server_that_is_not_there_is_3_and_says_how_to_start_one(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*command, "--server", "127.0.0.1:1"]) == exit_codes.UNREACHABLE
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "no model server answers at 127.0.0.1:1. Start one: impasto-serving local" in shown.err


def test_an_address_that_cannot_be_read_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status", "--server", "no port:x"]) == exit_codes.USAGE
    assert "is not host:port" in capsys.readouterr().err


def test_a_server_that_refuses_is_4(capsys: pytest.CaptureFixture[str]) -> None:
    with scripted(aborting(grpc.StatusCode.PERMISSION_DENIED, "no token")) as server:
        assert run(["models", "--server", server.address]) == exit_codes.REFUSED
    assert "no token" in capsys.readouterr().err


def test_models_lists_what_is_served_and_what_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models"]) == exit_codes.DONE
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["MODEL", "VERSION", "STATE", "SIGNATURES"]
    assert ["srcnn", "3", "AVAILABLE", "describe", "serving_default", "x2"] in lines
    assert ["dream", "-", "not", "served"] in lines


def test_models_shows_the_signatures(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "--signatures"]) == exit_codes.DONE
    shown = capsys.readouterr().out
    assert "srcnn serving_default\n  in  image uint8 [?, ?, ?, 3]\n  out image uint8 [?, ?, ?, 3]\n" in shown


def test_models_as_json(capsys: pytest.CaptureFixture[str], committed_server: ModelServer) -> None:
    assert run(["models", "--json"]) == exit_codes.DONE
    shown = json.loads(capsys.readouterr().out)
    assert shown["server"] == committed_server.address
    (srcnn,) = [entry for entry in shown["models"] if entry["model"] == "srcnn"]
    assert srcnn["versions"] == [{"version": 3, "state": "AVAILABLE", "error": ""}]
    assert srcnn["signatures"]["serving_default"]["inputs"] == [
        {"name": "image", "dtype": "uint8", "shape": [None, None, None, 3]}
    ]


def test_models_shows_other_models_and_their_defaults(
    toy_server: ModelServer, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--server", toy_server.address, "defaults", "echo"]
    assert run(["models", "-s", *arguments]) == exit_codes.DONE
    shown = capsys.readouterr().out
    assert "in  offsets int32 [2] = [3, 4]" in shown
    assert "in  x string [any shape]" in shown
    assert run(["models", "--json", *arguments]) == exit_codes.DONE
    json.loads(capsys.readouterr().out)


def test_defaults_of_every_kind_are_json(
    tmp_path: Path, server_kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    toy_models.odd_defaults(tmp_path)
    with serving(server_kind, tmp_path) as server:
        assert run(["models", "--json", "--server", server.address, "odd_defaults"]) == exit_codes.DONE
        inputs = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)["models"][-1]["signatures"][
            "serving_default"
        ]["inputs"]
        assert {entry["name"]: entry["default"] for entry in inputs} == {
            "text": ["caf\xe9", "\N{REPLACEMENT CHARACTER}"],
            "limit": None,
        }
        assert run(["models", "-s", "--server", server.address, "odd_defaults"]) == exit_codes.DONE
        assert "limit float32 [] = inf" in capsys.readouterr().out


def test_a_model_asked_for_by_name_that_is_not_served_is_4(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "nope"]) == exit_codes.REFUSED
    assert ["nope", "-", "not", "served"] in [line.split() for line in capsys.readouterr().out.splitlines()]


def test_status_of_the_server(capsys: pytest.CaptureFixture[str], committed_server: ModelServer) -> None:
    assert run(["status"]) == exit_codes.DONE
    assert capsys.readouterr().out == f"{committed_server.address} answers; ready: srcnn\n"


def test_status_of_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status", "srcnn"]) == exit_codes.DONE
    assert capsys.readouterr().out.split() == ["VERSION", "STATE", "ERROR", "3", "AVAILABLE"]
    assert run(["status", "srcnn", "--quiet"]) == exit_codes.DONE
    assert capsys.readouterr().out == ""


def test_status_of_a_model_that_is_not_there_is_4(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status", "nope"]) == exit_codes.REFUSED
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "nope cannot be called at" in shown.err


def test_quiet_leaves_it_to_the_exit_code_that_a_model_is_not_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["status", "nope", "--quiet"]) == exit_codes.REFUSED
    assert capsys.readouterr() == ("", "")


def test_an_empty_name_is_not_the_whole_server(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status", ""]) == exit_codes.USAGE
    assert "MODEL is empty" in capsys.readouterr().err


def test_a_server_that_does_not_answer_in_time_is_3(capsys: pytest.CaptureFixture[str]) -> None:
    with counting(seconds=600.0) as server:
        command = ["status", "srcnn", "--server", server.address, "--timeout", "0.5"]
        assert run(command) == exit_codes.UNREACHABLE
    assert "did not answer in time" in capsys.readouterr().err


def test_status_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status", "srcnn", "--json"]) == exit_codes.DONE
    shown = json.loads(capsys.readouterr().out)
    assert shown["ready"] == ["srcnn"]
    assert shown["models"]["srcnn"][0]["state"] == "AVAILABLE"


@pytest.mark.parametrize(
    "command", [[str(Path(sys.executable).with_name("impasto"))], [sys.executable, "-m", "impasto.client"]]
)
def test_the_installed_command_and_the_module_run_the_same(
    command: list[str], committed_server: ModelServer
) -> None:
    arguments = ["status", "nope", "--server", committed_server.address]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == exit_codes.REFUSED
    assert done.stderr == f"impasto: nope cannot be called at {committed_server.address}\n"


def test_a_server_that_goes_away_is_one_line_without_the_logs_of_grpc() -> None:
    gone = threading.Event()

    def never(request: bytes, context: grpc.ServicerContext) -> bytes:
        gone.wait(240)
        return b""

    with scripted(never) as server:
        command = [sys.executable, "-m", "impasto.client", "status", "--server", server.address]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        while not server.methods:
            time.sleep(0.01)
    gone.set()
    out, err = process.communicate()
    assert process.returncode == exit_codes.UNREACHABLE
    assert out == ""
    assert len(err.splitlines()) == 1
    assert err.startswith(f"impasto: no model server answers at {server.address}")


def test_a_reader_that_goes_away_is_no_crash(toy_server: ModelServer) -> None:
    shell = f"{sys.executable} -m impasto.client models -s echo --server {toy_server.address} | true"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


def test_the_help_names_all_places_that_the_address_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    run(["status", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "[default: IMPASTO_SERVER, else the configuration file's, else localhost:8500]" in shown
