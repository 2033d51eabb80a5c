"""Every command of a program, with a hostile text in each place of its command line and of its environment.

    python -m floods.hostile_lines PROGRAM

PROGRAM is impasto, impasto-export or impasto-serving. The commands and their parameters are those that click lists, so
that a new one is tried without a word here. Whatever is asked for, the program ends with an exit code of its own, and
prints nothing that a terminal obeys and no line that the text has made up. The report is that of `hostile_answers`.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import click
import grpc

from floods.hostile_answers import UNSAFE_BUT_LINES
from impasto.client.cli import impasto, run
from impasto.client.studio import running
from impasto.export.cli import cli as export_group
from impasto.export.cli import main as export_main
from impasto.serving.cli import main as serving_main
from scripted.client_servers import scripted

FORGED: Final = "impasto: all done"
HOSTILE: Final = f"\x1b]0;owned\x07\x1b[2J\u202egnp.exe\x9b31m\r\n{FORGED}\x7f"
"""A title of the window, an empty screen, a name in another order, colours, and a line of its own."""

# Without them an exporter would fetch weights, and succeed.
_ALWAYS: Final = ("weights", "origin")
_CODES: Final = (0, 1, 2, 3, 4, 255)


@dataclass(frozen=True)
class Program:
    """A program.

    Attributes:
        group: its commands.
        main: runs its command line, and may end with SystemExit.
    """

    group: click.Group
    main: Callable[[list[str]], Any]


def _export(words: list[str]) -> None:
    sys.argv = ["impasto-export", *words]
    export_main()


PROGRAMS: Final[Mapping[str, Program]] = {
    "impasto": Program(impasto, run),
    "impasto-export": Program(export_group, _export),
    "impasto-serving": Program(serving_main, serving_main),
}


@dataclass(frozen=True)
class Line:
    """A command line.

    Attributes:
        path: the words that name the command.
        words: what follows.
        environment: variables that are set.
    """

    path: tuple[str, ...]
    words: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict[str, str])


def lines(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[Line]:
    """Yield the command lines of a command and of those below it, each with the hostile text in one place."""
    yield Line(path, ("--help",))
    yield Line(path, (f"--{HOSTILE}",))
    yield Line(path, (f"-{HOSTILE}",))
    yield Line(path, (HOSTILE,))
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from lines(found, (*path, name))
        return
    for parameter in command.params:
        needed = tuple(_needed(command, parameter))
        if isinstance(parameter, click.Option):
            name = parameter.opts[-1]
            takes_none = parameter.is_flag or parameter.count
            yield Line(path, (*needed, f"{name}={HOSTILE}") if takes_none else (*needed, name, HOSTILE))
        else:
            yield Line(path, (*needed, HOSTILE, HOSTILE))
        variables = parameter.envvar or ()
        for variable in [variables] if isinstance(variables, str) else variables:
            yield Line(path, needed, {variable: HOSTILE.replace("\0", "")})


def _needed(command: click.Command, tried: click.Parameter) -> Iterator[str]:
    """The words that a command needs beside the parameter that is tried."""
    for parameter in command.params:
        if parameter is tried or not (parameter.required or parameter.name in _ALWAYS):
            continue
        kind = parameter.type
        value = "1" if isinstance(kind, click.types.IntParamType) else HOSTILE
        if isinstance(parameter, click.Option):
            yield parameter.opts[-1]
        yield value


def fault(main: Callable[[list[str]], Any], line: Line, outcomes: Counter[str]) -> str | None:
    """Run a command line; returns what is wrong with its end, and None if nothing is."""
    code: Any
    raised = ""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with _changed(line.environment), _into(out.fileno(), 1), _into(err.fileno(), 2):
            try:
                code = main([*line.path, *line.words])
            except SystemExit as end:
                code = end.code
            except BaseException:  # noqa: BLE001 - whatever it is, it is reported
                code, raised = -1, traceback.format_exc()[-2000:]
        said = "".join(_all_of(file) for file in (out, err))
    code = 0 if code is None else code
    outcomes[f"exit {code}"] += 1
    forged = any(text.startswith(FORGED) for text in said.splitlines())
    if code in _CODES and not forged and not UNSAFE_BUT_LINES.search(said) and "Traceback" not in said:
        return None
    return f"{line}: code {code}, {said[-800:]!r} {raised}"


def _all_of(file: Any) -> str:
    file.seek(0)
    text: str = file.read().decode()
    return text


class _into:  # noqa: N801 - reads as a function
    """Send what goes to a descriptor, native libraries' words too, to another one."""

    def __init__(self, target: int, descriptor: int) -> None:
        self._target, self._descriptor = target, descriptor

    def __enter__(self) -> None:
        self._kept = os.dup(self._descriptor)
        os.dup2(self._target, self._descriptor)

    def __exit__(self, *_: object) -> None:
        (sys.stdout if self._descriptor == 1 else sys.stderr).flush()
        os.dup2(self._kept, self._descriptor)
        os.close(self._kept)


class _changed:  # noqa: N801 - reads as a function
    """Set environment variables for a while."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def __enter__(self) -> None:
        self._before = dict(os.environ)
        os.environ.update(self._variables)

    def __exit__(self, *_: object) -> None:
        os.environ.clear()
        os.environ.update(self._before)


def _refuse(request: bytes, context: grpc.ServicerContext) -> bytes:
    """A server's answer to everything."""
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, HOSTILE.replace("\r\n", " "))
    raise AssertionError("abort raises")


async def _ready_and_over(*_: Any, ready: Callable[[], None], **__: Any) -> None:
    """Studio as far as it speaks: with a command line that it takes it would serve until it is told to stop."""
    ready()


def main(name: str) -> None:
    """Try a program and print the report."""
    program, outcomes, faults = PROGRAMS[name], Counter[str](), list[str]()
    rows: dict[str, tuple[str, int, float, int]] = {}
    with tempfile.TemporaryDirectory() as folder, scripted(_refuse) as server:
        os.chdir(folder)
        running.serve = _ready_and_over
        os.environ |= {"HOME": folder, "IMPASTO_SERVER": server.address, "IMPASTO_PATIENCE": "0"}
        for line in lines(program.group):
            started = time.monotonic()
            found = fault(program.main, line, outcomes)
            faults += filter(None, [found])
            command = " ".join((name, *line.path))
            _, count, seconds, wrong = rows.get(command, (command, 0, 0.0, 0))
            seconds = round(seconds + time.monotonic() - started, 1)
            rows[command] = (command, count + 1, seconds, wrong + bool(found))
        os.chdir("/")
    report = {"rows": list(rows.values()), "megabytes": 0, "outcomes": outcomes, "faults": faults[:20]}
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
