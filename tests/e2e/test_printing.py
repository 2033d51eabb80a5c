"""The three programs print nothing that a terminal obeys and no line of another's making, wherever the text is from."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import grpc
import pytest
from click.testing import CliRunner

from floods import hostile_commands, hostile_lines
from floods.hostile_answers import UNSAFE_BUT_LINES
from floods.hostile_lines import FORGED, HOSTILE
from images.pictures import save
from impasto.client.cli import impasto, run
from impasto.client.repository.manifest import MANIFEST_NAME
from impasto.export.cli import main as export
from impasto.export.repository import ModelRepository
from impasto.serving.cli import main as serving
from processes.forked_scripts import run_forked_script
from scripted.client_servers import aborting, scripted
from servers.configurations import model, write_configuration
from servers.official_stubs import official_client
from servers.serving_processes import forked
from toys import toy_models
from toys.toy_repository import publish_toy

WORDS = HOSTILE.replace("\r\n", " ")
"""For what gRPC carries, which has no line breaks."""


@pytest.mark.parametrize("program", hostile_lines.PROGRAMS)
def test_a_hostile_text_in_any_place_of_a_command_line_is_shown_escaped(program: str) -> None:
    finished = run_forked_script(hostile_lines, program)
    assert finished.returncode == 0, finished.stderr[-3000:]
    report = json.loads(finished.stdout)
    assert report["faults"] == []
    assert sum(row[1] for row in report["rows"]) > 90
    assert report["outcomes"]["exit 2"] > 60


def test_every_command_that_asks_a_server_is_in_the_flood_of_mutated_answers() -> None:
    context = click.Context(impasto)
    commands = {name: impasto.get_command(context, name) for name in impasto.list_commands(context)}
    asking = {
        name
        for name, command in commands.items()
        if command is not None and any(parameter.name == "server" for parameter in command.params)
    }
    # Studio's process asks through the library, and shows what it hears in a browser: client/studio tests that.
    assert asking - {"config", "studio"} == {command.split()[0] for command in hostile_commands.COMMANDS}


def check(text: str) -> None:
    """Nothing in it is obeyed, no line is forged, and the hostile text was there to be shown."""
    assert not UNSAFE_BUT_LINES.search(text), text
    assert not any(line.startswith(FORGED) for line in text.splitlines()), text
    assert "Traceback" not in text
    assert "owned" in text


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository in a folder of a hostile name, with a model, a file and a manifest of hostile words."""
    root = tmp_path_factory.mktemp("folder") / HOSTILE
    path = publish_toy(ModelRepository(root)).path
    (root / HOSTILE / "1").mkdir(parents=True)
    (path / f"extra{HOSTILE}").write_bytes(b"")
    manifest = json.loads((path / MANIFEST_NAME).read_text())
    manifest |= {"created": HOSTILE, "tensorflow": HOSTILE, "model": HOSTILE, HOSTILE: HOSTILE}
    manifest["files"][f"missing{HOSTILE}"] = {"sha256": HOSTILE, "size": 1}
    (path / MANIFEST_NAME).write_text(json.dumps(manifest))
    return root


@pytest.mark.parametrize("more", [(), ("--json",)])
@pytest.mark.parametrize(
    "words",
    [
        ("list",),
        ("list", HOSTILE),
        ("verify",),
        ("verify", HOSTILE),
        ("verify", HOSTILE, "--version", "1"),
        ("verify", "toy", "--version", "1"),
        ("prune", HOSTILE, "--keep", "2"),
        ("rollback", HOSTILE, "--to", "99"),
        ("rollback", "unknown"),
    ],
    ids=lambda words: " ".join(words).replace(HOSTILE, "HOSTILE"),
)
def test_what_a_repository_holds_is_shown_escaped(
    words: Sequence[str],
    more: Sequence[str],
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    arguments = ["impasto-export", "repository", *words, *more, "--models", str(root)]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit):
        export()
    said = capfd.readouterr()
    check(said.out + said.err)


@pytest.mark.parametrize(
    "words",
    [
        ("promote", HOSTILE, "2", "--label", HOSTILE),
        ("promote", HOSTILE, "2"),
        ("promote", "unknown", "1"),
        ("rollback", HOSTILE),
        ("rollback", HOSTILE, "--label", HOSTILE),
        ("reload",),
        ("reload", "--unchecked"),
    ],
    ids=lambda words: " ".join(words).replace(HOSTILE, "HOSTILE"),
)
def test_what_a_configuration_and_a_server_say_is_shown_escaped(
    words: Sequence[str], root: Path, tmp_path: Path
) -> None:
    entry = model(root, HOSTILE, versions=[1], labels={HOSTILE: 1, "stable": 1})
    file = write_configuration(tmp_path / f"{HOSTILE}.config", entry)
    with scripted(aborting(grpc.StatusCode.FAILED_PRECONDITION, WORDS)) as server:
        said = CliRunner().invoke(
            serving, [*words, "--no-load", "--config", str(file), "--server", server.address]
        )
    assert said.exit_code == 1
    check(said.output)


@pytest.mark.parametrize(
    "words", [(), ("--only", HOSTILE), ("--only", "unknown"), ("--stable", f"{HOSTILE}=1")]
)
def test_what_config_writes_and_says_is_escaped(words: Sequence[str], root: Path, tmp_path: Path) -> None:
    arguments = ["config", "--no-load", "--models", str(root), "--out", str(tmp_path / HOSTILE), *words]
    check(CliRunner().invoke(serving, arguments).output)


def test_the_local_server_says_what_it_serves_and_was_asked_in_lines_of_its_own(tmp_path: Path) -> None:
    toy_models.half_plus_two(tmp_path / HOSTILE, name=HOSTILE)
    (tmp_path / HOSTILE / f"empty{HOSTILE}").mkdir()
    flags = ["--models", str(tmp_path / HOSTILE), "-v", "--max_num_load_retries=0"]
    with forked(*flags, log=tmp_path / "log") as process:
        with official_client(process.address) as client:
            client.predict(HOSTILE, {"x": [1.0]})
            for spec in ({"name": f"no{HOSTILE}"}, {"name": HOSTILE, "signature_name": HOSTILE}):
                with pytest.raises(grpc.RpcError):
                    client.predict(spec, {HOSTILE: [1.0]})
        os.kill(process.pid, signal.SIGTERM)
        process.wait()
    for said in process.output.split("Listening on ", 1):
        check(said)


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_what_pictures_and_their_index_are_called_is_shown_escaped(
    more: Sequence[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / f"in{HOSTILE}", tmp_path / f"out{HOSTILE}"
    folder.mkdir()
    out.mkdir()
    save(folder / f"photo{HOSTILE}.png")
    (folder / f"broken{HOSTILE}.png").write_bytes(b"\x89PNG")
    (folder / f"words{HOSTILE}.heic").write_bytes(b"")
    (out / ".impasto.json").write_text(json.dumps({HOSTILE: HOSTILE}))
    with scripted(aborting(grpc.StatusCode.INVALID_ARGUMENT, WORDS)) as server:
        for words in (["upscale"], ["stylize", "-s", str(folder / f"photo{HOSTILE}.png")], ["dream"]):
            given = [*words, str(folder), "-o", str(out), "--resume", "--server", server.address, *more]
            assert run(given) in (1, 4)
            said = capfd.readouterr()
            check(said.out + said.err)


@pytest.mark.parametrize(
    "text",
    [
        f"{json.dumps(HOSTILE)} = 1",
        f"server = {json.dumps(HOSTILE)}",
        f"token = {json.dumps(HOSTILE)}",
        f"patience = {json.dumps(HOSTILE)}",
        f"[metadata]\n{json.dumps(HOSTILE)} = {json.dumps(HOSTILE)}",
        HOSTILE,
    ],
)
@pytest.mark.parametrize("command", ["config", "config --json", "status", "status --json"])
def test_what_a_configuration_file_holds_is_shown_escaped(
    command: str, text: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / f"{HOSTILE}.toml"
    file.write_text(text.replace("\\u007f", "\\u007F"))
    assert run([*command.split(), "--config", str(file)]) != 0
    said = capfd.readouterr()
    check(said.out + said.err)
