"""What `impasto-export` prints holds nothing that a terminal obeys, wherever the text is from."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from impasto.client.texts import json_text
from impasto.export.cli.options import show_path
from impasto.export.repository import ModelRepository
from toys.toy_repository import publish_toy

HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202egnp.exe\x7f"


def is_safe(text: str) -> bool:
    return not set(text) & set("\x1b\x07\x9b\r\x7f\u202e")


def export(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from impasto.export.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "arguments",
    [
        ("repository", "list"),
        ("repository", "list", HOSTILE),
        ("repository", "verify"),
        ("repository", "verify", HOSTILE),
        ("repository", "prune", HOSTILE, "--keep", "1"),
        ("repository", "rollback", HOSTILE),
        ("repository", "prune", "toy", "--keep", HOSTILE),
        ("repository", HOSTILE),
    ],
    ids=lambda arguments: " ".join(arguments).replace(HOSTILE, "HOSTILE"),
)
def test_a_hostile_name_is_escaped_in_whatever_place(arguments: tuple[str, ...], tmp_path: Path) -> None:
    root = tmp_path / HOSTILE
    publish_toy(ModelRepository(root))
    (root / "toy" / "1" / f"extra{HOSTILE}").write_bytes(b"")
    if len(arguments) > 1:
        arguments = (*arguments, "--models", str(root))
    said = export(*arguments)
    assert is_safe(said.stdout)
    assert is_safe(said.stderr)
    assert "Traceback" not in said.stderr


def test_a_folder_that_is_no_repository_is_named_safely(tmp_path: Path) -> None:
    said = export("repository", "list", "--models", tmp_path / HOSTILE)
    assert said.returncode == 1
    assert r"\x1b]0;owned" in said.stderr
    assert is_safe(said.stderr)


def test_json_holds_every_character_and_shows_none_that_a_terminal_obeys() -> None:
    shown = json_text({HOSTILE: [HOSTILE]})
    assert is_safe(shown)
    assert json.loads(shown) == {HOSTILE: [HOSTILE]}


def test_the_path_of_a_result_is_for_programs_byte_for_byte(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    show_path(Path("a\x1b\udcff"))
    assert capfdbinary.readouterr().out == b"a\x1b\xff\n"
