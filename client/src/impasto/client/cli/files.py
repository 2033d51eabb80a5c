"""Where pictures come from and go to, as the command line names it: files, folders, and `-` for the pipes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import click
from PIL import Image

from impasto.client import pictures
from impasto.client.cli.output import print_bytes, read_all
from impasto.client.errors import UnwritableOutput

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


Result: TypeAlias = Image.Image | pictures.Animation[Image.Image]


class Writing(NamedTuple):
    """The options of `write_picture` for every result of a run; one whose format has no such option goes without.

    Attributes:
        strip: leave out all metadata.
        quality: of JPEG and WebP.
        compress: of PNG.
    """

    strip: bool = False
    quality: int | None = None
    compress: pictures.PngCompression | None = None

    def check(self, suffixes: Iterable[str]) -> None:
        """UsageError if an option is given that none of the formats has."""
        found = sorted({suffix.lower() for suffix in suffixes})
        for name, value in (("quality", self.quality), ("compress", self.compress)):
            if value is None or any(name in pictures.format_options(suffix) for suffix in found):
                continue
            able = [
                suffix
                for suffix in dict.fromkeys((*pictures.WRITABLE, *pictures.ANIMATED))
                if name in pictures.format_options(suffix)
            ]
            raise click.UsageError(
                f"--{name} {value}: {' and '.join(found)} has no such option; it is for {', '.join(able)}"
            )

    def options(self, suffix: str) -> dict[str, Any]:
        """Return the keyword arguments for a result with this extension."""
        given = {"quality": self.quality, "compress": self.compress}
        return {"strip": self.strip, **{name: given[name] for name in pictures.format_options(suffix)}}


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


def suffix_of(output: Place) -> str:
    """Return the extension of the format that a place gets, in lower case: that of the file which a link leads to."""
    return (output if isinstance(output, Pipe) else real(output)).suffix.lower()


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


def read_input(source: Place) -> pictures.ImageSource:
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


def check_result(output: Place, *, overwrite: bool, as_json: bool, moving: bool = False) -> None:
    """Find out before the work whether the result can be written.

    Args:
        output: where it goes.
        overwrite: whether a file that is there is replaced.
        as_json: standard output is for JSON.
        moving: whether the result may be one that moves.

    Raises:
        click.ClickException: standard output is a terminal, or JSON goes there.
        OutputError: see pictures.check_output.
    """
    moving = moving and suffix_of(output) in pictures.ANIMATED
    if not isinstance(output, Pipe):
        check = pictures.check_animation_output if moving else pictures.check_output
        check(output, overwrite=overwrite)
        return
    if as_json:
        raise click.UsageError(f"-o {output} and --json: both would go to standard output")
    if sys.stdout.isatty():
        raise click.UsageError(f"-o {output}: standard output is a terminal; send it to a file or a program")
    if not moving:
        # Raises for a format that cannot be written.
        pictures.encode_picture(Image.new("L", (1, 1)), output.suffix)


def write_result(output: Place, result: Result, *, overwrite: bool, writing: Writing) -> None:
    """Write the result; to standard output in the main thread, the only one that Ctrl-C interrupts.

    Raises:
        OutputError: see pictures.write_picture, or standard output cannot be written to.
        ReaderGone: nobody reads standard output any more.
    """
    options = writing.options(suffix_of(output))
    if isinstance(result, pictures.Animation):
        if isinstance(output, Pipe):
            print_bytes(pictures.encode_animation(result, output.suffix, **options))
        else:
            pictures.write_animation(output, result, overwrite=overwrite, **options)
    elif isinstance(output, Pipe):
        print_bytes(pictures.encode_picture(result, output.suffix, **options))
    else:
        pictures.write_picture(output, result, overwrite=overwrite, **options)
