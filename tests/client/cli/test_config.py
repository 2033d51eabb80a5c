"""`impasto config`, and the options of every command that stand for settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from impasto.client import MAX_PIXELS
from impasto.client.cli import exit_codes, run
from impasto.client.cli.config import config
from impasto.client.settings.values import SETTINGS

FILE = """
server = "models.example:1"
timeout = 30
token = "sesame"
patience = 2
[metadata]
x-key = "sesame"
[tls]
enabled = true
"""


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [*(s.variable for s in SETTINGS), "IMPASTO_CLIENT_CONFIG"]:
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(FILE)
    return path


def shown(*arguments: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The JSON of `impasto config`."""
    assert run(["config", "--json", *arguments]) == exit_codes.DONE
    output = capsys.readouterr().out
    assert "sesame" not in output
    found: dict[str, Any] = json.loads(output)
    return found


def test_every_setting_is_shown_with_its_default_and_its_variable(capsys: pytest.CaptureFixture[str]) -> None:
    found = shown(capsys=capsys)
    assert found["file"] is None
    assert set(found["settings"]) == {s.key for s in SETTINGS if s.name != "timeout"}
    assert {entry["source"] for entry in found["settings"].values()} == {"default"}
    assert found["settings"]["server"] == {
        "value": "localhost:8500",
        "source": "default",
        "variable": "IMPASTO_SERVER",
    }
    assert found["settings"]["max_pixels"]["value"] == MAX_PIXELS


def test_each_setting_is_shown_with_the_place_that_it_comes_from(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMPASTO_PATIENCE", "inf")
    arguments = ["--config", str(file), "--tls-ca", "ca.pem"]
    found = shown(*arguments, capsys=capsys)
    assert found["file"] == str(file)
    sources = {key: (entry["value"], entry["source"]) for key, entry in found["settings"].items()}
    assert sources["server"] == ("models.example:1", str(file))
    assert sources["timeouts.dream"] == (30.0, str(file))
    assert sources["patience"] == ("inf", "IMPASTO_PATIENCE")
    assert sources["tls.ca"] == ("ca.pem", "--tls-ca")
    assert sources["tls.enabled"] == (True, "--tls-ca")
    assert sources["compression"] == ("none", "default")


def test_secrets_are_not_shown(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "--config", str(file)]) == exit_codes.DONE
    output = capsys.readouterr().out
    assert "sesame" not in output
    lines = {line.split()[0]: line.split() for line in output.splitlines() if line}
    assert lines["token"][:3] == ["token", "***", str(file)]
    assert lines["metadata"][:2] == ["metadata", "x-key=***"]
    assert lines["tls.enabled"][1] == "true"
    assert lines["tls.ca"][1] == "-"


def test_a_file_with_a_secret_that_others_may_read_is_named(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = tmp_path / "key.pem"
    key.touch(mode=0o604)
    arguments = ["config", "--config", str(file), "--tls-cert", "cert.pem", "--tls-key", str(key)]
    for mode, named in ((0o640, True), (0o604, True), (0o600, False)):
        file.chmod(mode)
        assert run(arguments) == exit_codes.DONE
        said = capsys.readouterr().err
        assert (f"chmod 600 {file}\n" in said) == named
        assert f"chmod 600 {key}\n" in said
        assert "sesame" not in said
    file.chmod(0o644)
    assert run([*arguments, "--json"]) == exit_codes.DONE
    assert str(file) in capsys.readouterr().err
    assert run([*arguments, "--quiet"]) == exit_codes.DONE
    file.write_text("patience = 2")
    assert run(["config", "--config", str(file)]) == exit_codes.DONE
    assert capsys.readouterr().err == ""


ADDRESSES = [
    "https://user:sesame@models.example:8500",
    "user:sesame@models.example:8500",
    "localhost:1,user:sesame@models.example",
    "user:se@sa,m/e-sesame@models.example",
    "dns://user:sesame@10.0.0.1/models.example",
    "xds://user:sesame@models.example",
    "user:sesame%40models.example",
    "models.example:8500?key=sesame",
    "https://models.example/#sesame",
]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("place", ["option", "variable", "file"])
def test_an_address_with_a_password_is_refused_and_never_shown(
    address: str,
    place: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arguments = []
    if place == "option":
        arguments = ["--server", address]
    elif place == "variable":
        monkeypatch.setenv("IMPASTO_SERVER", address)
    else:
        (tmp_path / "config.toml").write_text(f"server = {json.dumps(address)}")
        arguments = ["--config", str(tmp_path / "config.toml")]
    for command in (["config"], ["config", "--json"], ["status"], ["models", "--json"]):
        assert run([*command, *arguments]) == exit_codes.USAGE
        said = "".join(capsys.readouterr())
        assert "the server address (not shown here) holds a user or password" in said
        assert "write host:port" in said
        assert "sesame" not in said


def test_a_password_in_a_url_that_is_no_picture_is_not_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["https://user:sesame@models.example/photo.jpg", "-o", str(tmp_path / "result.png")]
    assert run(["upscale", *arguments, "--server", "localhost:1"]) != exit_codes.DONE
    said = "".join(capsys.readouterr())
    assert "photo.jpg" in said
    assert "sesame" not in said


def test_the_table_says_which_file_is_read_or_would_be(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    run(["config"])
    own = tmp_path / "impasto" / "config.toml"
    assert capsys.readouterr().out.endswith(f"\nThere is no configuration file; {own} would be read.\n")
    run(["config", "--config", str(file)])
    assert capsys.readouterr().out.endswith(f"\nThe configuration file is {file}.\n")
    run(["config", "--quiet"])
    assert capsys.readouterr().out.splitlines()[-1].startswith("max_pixels")


def test_an_option_goes_before_the_environment_and_the_file(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMPASTO_SERVER", "elsewhere:1")
    monkeypatch.setenv("IMPASTO_TIMEOUT_DREAM", "9")
    monkeypatch.setenv("IMPASTO_CLIENT_CONFIG", str(file))
    options = ["--server", "localhost:3", "--timeout", "5", "--no-tls"]
    found = shown(*options, capsys=capsys)["settings"]
    assert found["server"]["value"] == "localhost:3"
    assert found["timeouts.dream"] == {
        "value": 5.0,
        "source": "--timeout",
        "variable": "IMPASTO_TIMEOUT_DREAM",
    }
    assert found["tls.enabled"] == {"value": False, "source": "--tls/--no-tls", "variable": "IMPASTO_TLS"}


@pytest.mark.parametrize("command", ["config", "status"])
def test_unusable_settings_end_every_command_as_a_wrong_command_line_does(
    command: str, file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run([command, "--config", str(file), "--no-tls"]) == exit_codes.USAGE
    assert (
        "impasto: token, metadata x-key: without TLS, everyone on the way to models.example:1"
        in capsys.readouterr().err
    )
    monkeypatch.setenv("IMPASTO_PATIENCE", "soon")
    assert run([command]) == exit_codes.USAGE
    message = (
        "impasto: IMPASTO_PATIENCE: 'soon' cannot be used; it must be seconds, 0 or more, at most 1000000; "
        "`inf` for no end\n"
    )
    assert capsys.readouterr().err == message


def test_every_option_that_a_setting_names_is_there() -> None:
    there = {name for parameter in config.params for name in (*parameter.opts, *parameter.secondary_opts)}
    named = {name for setting in SETTINGS for name in setting.flag.split("/") if name}
    assert named <= there
    assert "--config" in there
