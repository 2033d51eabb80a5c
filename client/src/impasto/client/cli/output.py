"""Words on the terminal: results to standard output; to standard error all else, with `-v` the client's log, too."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, TextIO, TypeVar

import click

from impasto.client._transport.observing import LOGGER
from impasto.client.errors import UnwritableOutput
from impasto.client.texts import json_text, printable, printable_lines

_LONGEST_CELL: Final = 1000
"""Characters of a table's cell: all rows are as wide as the widest."""

_PART: Final = 1 << 20
"""Bytes of standard input that are asked for at once."""

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
    if sys.stdin.isatty():
        return b""
    if os.name == "nt":  # where a pipe cannot be waited for
        return sys.stdin.buffer.read()
    parts: list[bytes] = []
    with _signals_as_input() as signals:
        while True:
            select.select([sys.stdin, signals], [], [])
            part = os.read(sys.stdin.fileno(), _PART)
            if not part:
                return b"".join(parts)
            parts.append(part)


@contextlib.contextmanager
def _signals_as_input() -> Generator[int]:
    """A descriptor that can be read once a signal has come.

    Python looks for signals between its own steps. One that comes just before a read, or to another thread, it would
    see only when the read ends.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        yield reading
    finally:
        signal.set_wakeup_fd(before)
        os.close(reading)
        os.close(writing)


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


CommandT = TypeVar("CommandT", bound=Callable[..., Any])

_VERBOSITY: Final = f"{__name__}.verbosity"


class _LogLines(logging.Handler):
    """Writes records as lines for the person; none unless asked."""

    def __init__(self) -> None:
        super().__init__(logging.CRITICAL + 1)
        self.say: Callable[[str], None] = note

    def emit(self, record: logging.LogRecord) -> None:
        self.say(f"impasto: {self.format(record)}")


@contextlib.contextmanager
def noted_logs() -> Generator[None, None, None]:
    """While the block runs, records are lines like all others, as many as `verbose_option` is told to show."""
    lines, level = _LogLines(), LOGGER.level
    LOGGER.addHandler(lines)
    try:
        yield
    finally:
        LOGGER.removeHandler(lines)
        LOGGER.setLevel(level)


@contextlib.contextmanager
def logs_said_by(say: Callable[[str], None]) -> Generator[None, None, None]:
    """While the block runs, log records are written by `say`, which may be called from several threads."""
    shown = _log_lines()
    for lines in shown:
        lines.say = say
    try:
        yield
    finally:
        for lines in shown:
            lines.say = note


def logs_are_shown() -> bool:
    """True if the person asked for log records."""
    return any(lines.level == logging.NOTSET for lines in _log_lines())


def verbose_option(command: CommandT) -> CommandT:
    """Give a command the option `-v`, which counts together with that before the command."""
    option = click.option(
        "-v",
        "--verbose",
        count=True,
        expose_value=False,
        callback=_show_logs,
        help="Say when a job waits for its server; -vv: each call, too.",
    )
    return option(command)


def _show_logs(context: click.Context, _option: click.Parameter, count: int) -> None:
    if not count:
        return
    total = context.meta[_VERBOSITY] = context.meta.get(_VERBOSITY, 0) + count
    LOGGER.setLevel(logging.INFO if total == 1 else logging.DEBUG)
    for lines in _log_lines():
        lines.setLevel(logging.NOTSET)


def _log_lines() -> list[_LogLines]:
    return [handler for handler in LOGGER.handlers if isinstance(handler, _LogLines)]
