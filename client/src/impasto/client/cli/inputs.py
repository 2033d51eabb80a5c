"""What a run reads is never replaced."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import click

from impasto.client.cli.places import Pipe, Place


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
