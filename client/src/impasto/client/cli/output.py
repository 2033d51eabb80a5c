"""Words and progress on the terminal: results to standard output, everything else to standard error."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, TextIO

from impasto.client.errors import UnwritableOutput
from impasto.client.json_text import json_text
from impasto.client.printable import printable, printable_lines

_LONGEST_CELL: Final = 1000
"""Characters of a table's cell: all rows are as wide as the widest."""

# Each stream's name in sys, how its substitute is opened, and which way it goes. Standard output's cannot be written
# to: results that nobody gets are an error, while nobody misses words for the person.
_SUBSTITUTES: Final = (
    ("stdin", os.O_RDONLY, "r"),
    ("stdout", os.O_RDONLY, "w"),
    ("stderr", os.O_WRONLY, "w"),
)


class ReaderGone(Exception):  # noqa: N818 - says what happened, as the client's errors do
    """The reader of standard output went away, as `head` does. Not an OSError: no picture is to blame."""


def replace_closed() -> None:
    """Open the standard streams that the caller closed, as `2>&-` does, on the null device.

    Their descriptors would otherwise go to files that are opened later, and what libraries say would go into those.
    """
    for name, flags, mode in _SUBSTITUTES:
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, flags)
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8"))


def print_line(text: str) -> None:
    """A line to standard output. Raises as print_bytes."""
    print_bytes(f"{printable_lines(text)}\n".encode(sys.stdout.encoding, "backslashreplace"))


def print_path(path: str | os.PathLike[str]) -> None:
    """A file's name as a line of standard output, byte for byte, whatever its encoding. Raises as print_bytes.

    A terminal would obey the control characters in it, so there they are escaped.
    """
    if sys.stdout.isatty():
        print_line(printable(os.fspath(path)))
    else:
        print_bytes(os.fsencode(path) + b"\n")


def print_bytes(data: bytes | memoryview) -> None:
    """Send `data` to standard output at once.

    Raises:
        ReaderGone: nobody reads it any more.
        UnwritableOutput: the system refuses.
    """
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError as error:
        give_up_output()
        raise ReaderGone from error
    except OSError as error:
        give_up_output()
        raise UnwritableOutput(f"cannot write to standard output: {error.strerror or error}") from error
    except BaseException:  # Ctrl-C while the reader is slow
        give_up_output()
        raise


def give_up_output() -> None:
    """Let nothing more through: Python would try again at its end to write what is left, and fail or wait again."""
    _to_nowhere(sys.stdout)


def note(text: str) -> None:
    """A line for the person, to standard error; if that fails there is nobody to tell."""
    try:
        sys.stderr.buffer.write(f"{printable(text)}\n".encode(sys.stderr.encoding, "backslashreplace"))
        sys.stderr.buffer.flush()
    except OSError:
        _to_nowhere(sys.stderr)


def read_all() -> bytes:
    """All of standard input; nothing of a terminal. Raises OSError."""
    return b"" if sys.stdin.isatty() else sys.stdin.buffer.read()


def _to_nowhere(stream: TextIO) -> None:
    # One in memory, as in tests, has no descriptor: that is an OSError, too.
    with contextlib.suppress(OSError), Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def print_json(value: Any) -> None:
    """A result for a program: to standard output."""
    print_line(json_text(value))


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns aligned by spaces, the same on a terminal and in a pipe; trailing blanks are cut."""
    lines = [tuple(header), *(tuple(printable(cell, longest=_LONGEST_CELL) for cell in row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print_line("  ".join(padded).rstrip())
