"""The options that say how to dream."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from impasto.client._jobs.values import MOST_STEPS
from impasto.client._models.dream import job
from impasto.client.cli.layers import layers
from impasto.client.cli.numbers import Number

_NAMES = [field.name for field in fields(job.Dream) if field.name not in ("image", "model")]


def _octaves(_context: click.Context, _option: click.Parameter, value: str | None) -> list[int] | None:
    """`-2,-1,0` as numbers."""
    try:
        return None if value is None else [int(entry) for entry in value.split(",")]
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a list of whole numbers such as -2,-1,0") from None


_OPTIONS = (
    click.option(
        "--layers",
        callback=layers,
        metavar="NAME[=WEIGHT],...",
        help="The layers to excite, such as mixed3,mixed5=0.5. `impasto models -s` lists them.",
    ),
    click.option(
        "--octaves",
        callback=_octaves,
        metavar="N,...",
        help="The sizes to work at, in this order, as powers of the octave scale; 0 is the picture's own.",
    ),
    click.option(
        "--octave-scale",
        type=Number(min=job.LEAST_OCTAVE_SCALE, max=job.LARGEST_OCTAVE_SCALE),
        metavar="RATIO",
        help="How much larger each octave is.",
    ),
    click.option(
        "--steps",
        type=click.IntRange(min=0, max=MOST_STEPS),
        metavar="N",
        help="Gradient steps at each octave.",
    ),
    click.option(
        "--step-size",
        type=Number(min=0, max=job.LARGEST_STEP_SIZE),
        metavar="SIZE",
        help="How far each step goes.",
    ),
    click.option(
        "--preserve-color",
        is_flag=True,
        help="Keep the picture's colours; take only brightness from the dream.",
    ),
    click.option(
        "--guide",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="PICTURE",
        help="Dream towards the features of another picture.",
    ),
    click.option(
        "--tile",
        type=click.IntRange(min=0),
        metavar="PIXELS",
        help="Take gradients in pieces of this size, which needs less memory on the server; 0 for none.  "
        "[default: 512 for pictures above a megapixel]",
    ),
    click.option(
        "--seed",
        type=click.IntRange(-(2**31), 2**31 - 1),
        default=0,
        show_default=True,
        metavar="N",
        help="Of the tiles' random places.",
    ),
)


def dream_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of a dream; it receives them as `options`, fields of Dream."""

    @functools.wraps(command)
    def wrapped(**values: Any) -> Any:
        options = {name: values.pop(name) for name in _NAMES}
        return command(options=options, **values)

    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped
