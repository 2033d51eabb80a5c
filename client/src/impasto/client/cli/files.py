"""Where pictures come from and go to, as the command line names it: files, folders, and `-` for the pipes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import click
from PIL import Image

from impasto.client.cli.output import print_bytes, read_all
from impasto.client.errors import UnwritableOutput
from impasto.client.pictures import ImageSource, check_output, encode_picture, write_picture

_DASH: Final = "-"


@dataclass(frozen=True)
class Pipe:
    """Standard input or output. A file named `-` is written `./-`, and is a Path.

    Attributes:
        kind: the format of what is written to it, as a file extension without the dot; PNG if empty.
    """

    kind: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{_DASH}" if self.kind else _DASH

    @property
    def name(self) -> str:
        """The name on the command line, as a path has one."""
        return str(self)

    @property
    def suffix(self) -> str:
        """The file extension of the format that is written."""
        return f".{self.kind or 'png'}"


Place: TypeAlias = Path | Pipe


def place(text: str) -> Place:
    """Return the place that an argument names. UsageError if it is empty, as an unset variable of the shell is."""
    if not text:
        raise click.UsageError("a picture's name is empty; name a file or a folder")
    kind, _, end = text.rpartition(":")
    return Pipe(kind) if end == _DASH and "/" not in kind else Path(text)


def is_folder(path: Place) -> bool:
    """Tell whether it is a folder. A name that the system refuses is none: opening it tells why."""
    try:
        return isinstance(path, Path) and path.is_dir()
    except OSError:
        return False


def real(path: Path) -> Path:
    """The file behind symbolic links; one that is part of a loop of them as it is, for who opens it to learn why."""
    return Path(os.path.realpath(path))


def refuse_inputs(
    outputs: Iterable[Place], inputs: Iterable[Place], *, what: str = "the result", option: str = "-o"
) -> None:
    """ClickException if one of the files to be written is read as well.

    Args:
        outputs: where the run is going to write.
        inputs: all that it reads.
        what: would replace an input.
        option: says where `what` goes.
    """
    read = {real(path) for path in inputs if isinstance(path, Path)}
    for path in outputs:
        if not isinstance(path, Pipe) and real(path) in read:
            raise click.ClickException(f"{what} would replace the input {path}; choose another {option}")


def make_folder(path: Path) -> None:
    """Make a folder for results, if it is not there. UnwritableOutput if the system refuses."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnwritableOutput(f"cannot make the folder {path}: {error.strerror}") from error


def name_of(source: Place) -> str:
    """Return the words for a place in a message."""
    return "standard input" if isinstance(source, Pipe) else str(source)


def read_input(source: Place) -> ImageSource:
    """The path, or what standard input holds.

    Raises:
        click.ClickException: standard input is empty, or a terminal.
        OSError: it cannot be read.
    """
    if not isinstance(source, Pipe):
        return source
    data = read_all()
    if not data:
        raise click.ClickException(
            "standard input holds no picture; give one, as in: impasto upscale - < in.png"
        )
    return data


def check_result(output: Place, *, overwrite: bool, as_json: bool) -> None:
    """Find out before the work whether the result can be written.

    Raises:
        click.ClickException: standard output is a terminal, or JSON goes there.
        OutputError: see check_output.
    """
    if not isinstance(output, Pipe):
        check_output(output, overwrite=overwrite)
        return
    if as_json:
        raise click.UsageError(f"-o {output} and --json: both would go to standard output")
    if sys.stdout.isatty():
        raise click.UsageError(f"-o {output}: standard output is a terminal; send it to a file or a program")
    encode_picture(Image.new("L", (1, 1)), output.suffix)  # raises for a format that cannot be written


def write_result(output: Place, image: Image.Image, *, overwrite: bool) -> None:
    """Write the result; to standard output in the main thread, the only one that Ctrl-C interrupts.

    Raises:
        OutputError: see write_picture, or standard output cannot be written to.
        ReaderGone: nobody reads standard output any more.
    """
    if isinstance(output, Pipe):
        print_bytes(encode_picture(image, output.suffix))
    else:
        write_picture(output, image, overwrite=overwrite)
