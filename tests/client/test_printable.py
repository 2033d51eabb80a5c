"""Text of foreign origin is shown with what a terminal would obey escaped, and all else as it is."""

from __future__ import annotations

import io
import json
import os
import pickle
import sys
from pathlib import Path

import grpc
import pytest
from PIL import Image

from images.pictures import pixels
from impasto.client import Client, errors
from impasto.client._wire.format import delimited, number
from impasto.client.cli import output, run
from impasto.client.repository.manifest import ManifestError
from impasto.client.texts import LONGEST, printable, printable_lines
from scripted.client_servers import Answer, aborting, scripted, status

HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202egnp.exe\x9b31m\r\nimpasto: all done\x7f"
SHOWN = r"\x1b]0;owned\x07\x1b[2J\u202egnp.exe\x9b31m\r\nimpasto: all done\x7f"

METADATA = delimited(
    2,
    delimited(1, b"signature_def")
    + delimited(
        2,
        delimited(
            2,
            delimited(
                1,
                delimited(1, HOSTILE.encode())
                + delimited(2, delimited(1, delimited(1, HOSTILE.encode()) + delimited(2, number(2, 1)))),
            ),
        ),
    ),
)


def is_safe(text: str) -> bool:
    return not set(text) & set("\x1b\x07\x9b\r\x7f\u202e") and "\nimpasto: all done" not in text


def test_control_and_bidirectional_characters_are_escaped_as_python_writes_them() -> None:
    assert printable(HOSTILE) == SHOWN
    for code in (
        *range(0x20),
        *range(0x7F, 0xA0),
        0x61C,
        0x200E,
        0x200F,
        *range(0x2028, 0x202F),
        *range(0x2066, 0x206A),
    ):
        assert printable(f"a{chr(code)}b").isascii()
        assert chr(code) not in printable(chr(code))


@pytest.mark.parametrize(
    "text",
    [
        "caf\u00e9 e\u0301 100\u00a0%",
        "\u6f22\u5b57\u3000\u304b\u306a",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f",
        "\u05e9\u05dc\u05d5\u05dd",
        "C:\\new",
        "",
    ],
)
def test_text_that_people_read_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no https://user:p@ss@h:1/x?y", "no https://***@h:1/x?y"),
        ("https:/user:pw@h", "https:/***@h"),
        ("s3://k:v@b and http://token@h", "s3://***@b and http://***@h"),
        ("http://h/a@b, a@b.c", "http://h/a@b, a@b.c"),
    ],
)
def test_a_url_is_shown_without_its_password(text: str, shown: str) -> None:
    assert printable(text) == printable_lines(text) == shown


def test_a_long_hostile_text_takes_no_time_to_look_for_passwords() -> None:
    for piece in ("a.", "a:/", "a://b", "://", "@"):
        printable(piece * 200_000, longest=4000)


def test_what_is_escaped_is_not_escaped_again() -> None:
    assert printable(printable(HOSTILE)) == SHOWN


def test_bytes_of_a_file_name_that_are_no_text_are_escaped() -> None:
    assert printable(os.fsdecode(b"a\xff")) == r"a\udcff"


def test_lines_of_the_programs_own_text_are_kept() -> None:
    assert printable_lines("one\n\ttwo\x1b\r") == "one\n\ttwo\\x1b\\r"


def test_of_a_long_text_the_beginning_and_the_end_are_shown() -> None:
    text = printable("a" * 1000 + "b" * 1_000_000 + "c" * 1000, longest=400)
    assert text == "a" * 300 + " ... (1,001,600 characters left out) ... " + "c" * 100


@pytest.mark.parametrize(
    "error",
    [
        errors.ServerFault(f"failed: {HOSTILE}", details=HOSTILE),
        errors.ServerUnavailable(HOSTILE, details=HOSTILE),
        errors.DeadlineExceeded(HOSTILE),
        errors.NotAnImage(HOSTILE),
        errors.OutputExists(HOSTILE),
        errors.UnwritableOutput(HOSTILE),
        errors.CheckpointError(HOSTILE),
        ManifestError(HOSTILE),
    ],
    ids=lambda error: type(error).__name__,
)
def test_the_text_of_every_error_is_safe_and_its_details_are_raw(error: errors.ImpastoError) -> None:
    assert str(error).endswith(SHOWN)
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    if isinstance(again, errors.CallError) and again.details:
        assert again.details == HOSTILE
        assert str(again.in_words(f"{again}; waited")) == f"{error}; waited"


def test_a_long_message_ends_with_its_remedy() -> None:
    text = str(errors.ServerFault(f"{'x' * 1_000_000}; do this"))
    assert len(text) < LONGEST + 100
    assert text.endswith("x; do this")


def test_a_servers_words_are_safe_in_the_message_and_raw_in_the_details() -> None:
    words = HOSTILE.partition("\n")[0]
    with (
        scripted(aborting(grpc.StatusCode.INTERNAL, words)) as server,
        Client(server.address) as client,
        pytest.raises(errors.ServerFault) as caught,
    ):
        client.status("half")
    assert caught.value.details == words
    assert printable(words) in str(caught.value)
    assert is_safe(str(caught.value))


def commands(tmp_path: Path) -> dict[str, tuple[list[str], Answer]]:
    """Command lines, and how the server answers them."""
    picture = tmp_path / "photo\x1b[2J\u202e.png"
    Image.fromarray(pixels(8, 8)).save(picture)
    states = status(3, 30) + status(2, 50, HOSTILE)

    def served(request: bytes, context: grpc.ServicerContext) -> bytes:
        """Status requests hold nothing but the model; metadata's ask for a field."""
        if b"signature_def" in request:
            return METADATA
        return states

    def refused(request: bytes, context: grpc.ServicerContext) -> bytes:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, HOSTILE.replace("\r\n", ""))
        raise AssertionError("abort raises")

    return {
        "status": (["status", "half"], served),
        "models": (["models", "half"], served),
        "models --signatures": (["models", "half", "--signatures"], served),
        "models --json": (["models", "half", "--json"], served),
        "upscale": (["upscale", str(picture), "-o", str(tmp_path / "out.png")], refused),
        "upscale a folder": (["upscale", str(tmp_path), "-o", str(tmp_path / "out")], refused),
    }


@pytest.mark.parametrize(
    "command", ["status", "models", "models --signatures", "models --json", "upscale", "upscale a folder"]
)
def test_a_command_prints_nothing_that_a_terminal_obeys(
    command: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments, answer = commands(tmp_path)[command]
    with scripted(answer) as server:
        run([*arguments, "--server", server.address])
    shown = capfd.readouterr()
    assert is_safe(shown.out), shown.out
    assert is_safe(shown.err), shown.err
    assert "owned" in shown.out + shown.err


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("terminal", [True, False])
def test_the_name_of_a_result_is_escaped_on_a_terminal_and_kept_byte_for_byte_in_a_pipe(
    terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    buffer = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", (Terminal if terminal else io.TextIOWrapper)(buffer, "utf-8"))
    output.print_path(Path("a\x1b[2J\u00e9"))
    assert buffer.getvalue().decode() == ("a\\x1b[2J\u00e9\n" if terminal else "a\x1b[2J\u00e9\n")


def test_json_holds_every_character_and_shows_none_that_a_terminal_obeys(
    capfd: pytest.CaptureFixture[str],
) -> None:
    output.print_json({HOSTILE: [HOSTILE]})
    shown = capfd.readouterr().out
    assert is_safe(shown)
    assert json.loads(shown) == {HOSTILE: [HOSTILE]}


def test_a_cell_of_a_table_is_one_line_of_bounded_length(capfd: pytest.CaptureFixture[str]) -> None:
    output.print_table(("A", "B"), [("x\ny", "z" * 1_000_000), ("\u202e", "")])
    lines = capfd.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[1].startswith(r"x\ny")
    assert max(map(len, lines)) < 1100
