"""The options of every command that makes pictures."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from impasto.client import MAX_PIXELS, Model
from impasto.client.cli.files import Place, is_folder, place


@dataclass(frozen=True)
class Results:
    """What becomes of the results.

    Attributes:
        output: the file, folder or pipe that they go to.
        as_folder: it was named with a slash at its end: a folder, also where there is none yet.
        overwrite: replace those that exist.
        resume: leave those that exist, unless they are older than their pictures.
        concurrency: how many pictures are under way at once.
    """

    output: Place
    as_folder: bool
    overwrite: bool
    resume: bool
    concurrency: int


def picture_options(*, model: str, concurrency: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command its pictures, results and model; it receives them as `inputs`, `results` and `model`.

    Args:
        model: the default of --model.
        concurrency: the default of --concurrency.
    """
    options = (
        click.argument("inputs", metavar="IN...", nargs=-1, required=True, type=click.Path()),
        click.option(
            "-o",
            "--output",
            required=True,
            metavar="OUT",
            type=click.Path(),
            help="The file to write; for several pictures or a folder, the folder to write them to; - for standard "
            "output, as PNG, or jpg:-, webp:- and so on. OUT/ is a folder in any case, and ./- a file.",
        ),
        click.option(
            "--overwrite", is_flag=True, help="Replace results that exist. Inputs are never replaced."
        ),
        click.option(
            "--resume",
            is_flag=True,
            help="Skip pictures whose result exists and is not older than they are; do the others.",
        ),
        click.option(
            "--concurrency",
            type=click.IntRange(min=1),
            default=concurrency,
            show_default=True,
            metavar="N",
            help="How many pictures are under way at once.",
        ),
        click.option("--model", default=model, show_default=True, help="The model's name on the server."),
        click.option("--model-version", type=int, metavar="N", help="Its version.  [default: the newest]"),
        click.option("--label", help="Its version by label, such as `stable`."),
        click.option(
            "--max-pixels",
            type=click.IntRange(min=1),
            metavar="N",
            help="Refuse pictures with more pixels than this.  "
            f"[default: what `impasto config` shows, else {MAX_PIXELS}]",
        ),
    )

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def wrapped(
            *,
            inputs: tuple[str, ...],
            output: str,
            overwrite: bool,
            resume: bool,
            concurrency: int,
            model: str,
            model_version: int | None,
            label: str | None,
            **rest: Any,
        ) -> Any:
            if model_version is not None and label is not None:
                raise click.UsageError("--model-version and --label: give one of them")
            if overwrite and resume:
                raise click.UsageError("--overwrite does again what --resume would skip: give one of them")
            results = Results(place(output), output.endswith("/"), overwrite, resume, concurrency)
            sources = tuple(place(text) for text in inputs)
            asked = Model(model, model_version, label)
            return command(inputs=sources, results=results, model=asked, **rest)

        for option in reversed(options):
            wrapped = option(wrapped)
        return wrapped

    return decorate


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


def layers(
    _context: click.Context, _option: click.Parameter, value: str | None
) -> list[tuple[str, float]] | None:
    """An option's `mixed3,mixed5=0.5` as pairs of name and weight."""
    if value is None:
        return None
    pairs: list[tuple[str, float]] = []
    for entry in value.split(","):
        name, equals, weight = (part.strip() for part in entry.partition("="))
        if not name:
            raise click.BadParameter(f"{value!r} is not a list such as mixed3,mixed5=0.5")
        pairs.append((name, _weight(weight, name) if equals else 1.0))
    return pairs


def _weight(text: str, name: str) -> float:
    with contextlib.suppress(ValueError):
        if math.isfinite(weight := float(text)):
            return weight
    raise click.BadParameter(f"{text!r}, the weight of {name}, is not a number")
