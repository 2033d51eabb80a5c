"""What the commands of the long jobs share: keeping what is reached, which is for one picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from impasto.client.cli.places import Place, is_folder


def long_job_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --every and --checkpoint."""
    every = click.option(
        "--every",
        type=click.IntRange(min=1),
        metavar="N",
        help="Of one picture: keep it after every N steps in all, as OUT with the number in its name.",
    )
    checkpoint = click.option(
        "--checkpoint",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Of one picture: keep in FILE how far it is. If it is there, go on from it; OUT may be replaced then. It "
        "is deleted when OUT is written.",
    )
    return every(checkpoint(command))


def refuse_for_several(*, every: int | None, checkpoint: Path | None) -> None:
    """UsageError if what is for one picture is asked of several, or of what may be skipped."""
    for option, value in (("--every", every), ("--checkpoint", checkpoint)):
        if value is not None:
            raise click.UsageError(
                f"{option} is for one picture and goes without --resume, which is for several"
            )


def one_file(inputs: Sequence[Place], *, option: str) -> Path:
    """The one input, a file. UsageError, which names `option`, if there are several or it is a folder or pipe."""
    first = inputs[0]
    if len(inputs) > 1 or not isinstance(first, Path) or is_folder(first):
        raise click.UsageError(f"{option} is for one picture in a file")
    return first
