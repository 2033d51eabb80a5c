"""Pictures through standard input and output, which `-` stands for; `jpg:-` says in which format."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from PIL import Image

from impasto.client.files import check_output, encode_picture, write_picture
from impasto.client.images import ImageSource

_PIPE = "-"


def is_pipe(path: Path) -> bool:
    """Whether the path stands for standard input or output."""
    return str(path) == _PIPE or str(path).endswith(f":{_PIPE}")


def name_of(path: Path) -> str:
    """What people call it."""
    return "standard input" if is_pipe(path) else str(path)


def read_input(path: Path) -> ImageSource:
    """The path, or what standard input holds.

    Raises:
        click.ClickException: standard input is empty, or a terminal.
    """
    if not is_pipe(path):
        return path
    data = b"" if sys.stdin.isatty() else sys.stdin.buffer.read()
    if not data:
        raise click.ClickException(
            "standard input holds no picture; give one, as in: impasto upscale - < in.png"
        )
    return data


def check_result(path: Path, *, overwrite: bool, as_json: bool) -> None:
    """Find out before the work whether the result can be written.

    Raises:
        click.ClickException: standard output is a terminal, or JSON goes there.
        OutputError: see check_output.
    """
    if not is_pipe(path):
        check_output(path, overwrite=overwrite)
        return
    if as_json:
        raise click.UsageError(f"-o {path} and --json: both would go to standard output")
    if sys.stdout.isatty():
        raise click.UsageError(f"-o {path}: standard output is a terminal; send it to a file or a program")
    encode_picture(Image.new("L", (1, 1)), _suffix(path))  # raises for a format that cannot be written


def write_result(path: Path, image: Image.Image, *, overwrite: bool) -> None:
    """Write the result. Raises OutputError."""
    if not is_pipe(path):
        write_picture(path, image, overwrite=overwrite)
        return
    sys.stdout.buffer.write(encode_picture(image, _suffix(path)))
    sys.stdout.buffer.flush()


def _suffix(path: Path) -> str:
    kind = str(path).rpartition(":")[0]
    return f".{kind}" if kind else ".png"
