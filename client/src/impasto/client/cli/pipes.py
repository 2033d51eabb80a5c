"""Pictures at their places: files, and standard input and output."""

from __future__ import annotations

import sys

import click
from PIL import Image

from impasto.client.cli.places import Pipe, Place
from impasto.client.cli.streams import print_bytes, read_all
from impasto.client.pictures import ImageSource, check_output, encode_picture, write_picture


def name_of(source: Place) -> str:
    """What people call it."""
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
