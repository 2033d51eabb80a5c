"""The options that say how to paint by optimisation."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from impasto.client._jobs.values import MOST_STEPS
from impasto.client._models.transfer import job
from impasto.client._models.transfer.materials import CONTENT, NOISE
from impasto.client.cli.layers import layers
from impasto.client.cli.numbers import Number

_NAMES = [field.name for field in fields(job.Transfer) if field.name not in ("content", "style", "model")]
_DEFAULTS = job.Transfer


def _start(_context: click.Context, _option: click.Parameter, value: str) -> str | Path:
    """A word, or a file."""
    if value in (CONTENT, NOISE):
        return value
    if not Path(value).is_file():
        raise click.BadParameter(f"{value!r} is neither {CONTENT!r} nor {NOISE!r} nor a file")
    return Path(value)


def _weights(
    _context: click.Context, _option: click.Parameter, value: tuple[float, ...]
) -> tuple[float, ...] | None:
    return value or None


def _weight(name: str, what: str) -> Callable[[Any], Any]:
    return click.option(
        name,
        type=Number(min=0, max=job.LARGEST_WEIGHT),
        metavar="NUMBER",
        help=f"Of the {what} in the loss.  [default: what the model suggests]",
    )


def _layers(name: str, what: str) -> Callable[[Any], Any]:
    return click.option(
        name,
        callback=layers,
        metavar="NAME[=WEIGHT],...",
        help=f"The layers whose {what}. `impasto models -s` lists them.",
    )


_OPTIONS = (
    click.option(
        "--epochs",
        type=click.IntRange(min=0, max=MOST_STEPS),
        default=_DEFAULTS.epochs,
        show_default=True,
        metavar="N",
        help="Epochs at each size; 100 for the long recipe.",
    ),
    click.option(
        "--steps-per-epoch",
        type=click.IntRange(min=0, max=MOST_STEPS),
        default=_DEFAULTS.steps_per_epoch,
        show_default=True,
        metavar="N",
        help="Optimisation steps in each.",
    ),
    click.option(
        "-w",
        "--weight",
        "weights",
        multiple=True,
        type=Number(min=0, max=math.inf, max_open=True),
        callback=_weights,
        metavar="NUMBER",
        help="The share of each style, in their order.  [default: the same for all]",
    ),
    click.option(
        "--style-scale",
        type=Number(min=job.LEAST_STYLE_SCALE, max=job.LARGEST_STYLE_SCALE),
        default=_DEFAULTS.style_scale,
        show_default=True,
        metavar="RATIO",
        help="Size of the style beside the painting; more gives larger strokes.",
    ),
    _weight("--style-weight", "style"),
    _weight("--content-weight", "content"),
    click.option(
        "--tv-weight",
        "total_variation_weight",
        type=Number(min=0, max=job.LARGEST_WEIGHT),
        metavar="NUMBER",
        help="Of the differences between neighbouring pixels in the loss; more is smoother.",
    ),
    _layers("--style-layers", "Gram matrices are the style"),
    _layers("--content-layers", "activations are the content"),
    click.option(
        "--learning-rate",
        type=Number(min=0, max=job.LARGEST_LEARNING_RATE),
        metavar="RATE",
        help="How far each step goes.",
    ),
    click.option(
        "--max-side",
        type=int,
        default=_DEFAULTS.max_side,
        show_default=True,
        metavar="PIXELS",
        help="Paint larger pictures in this size.",
    ),
    click.option(
        "--pyramid",
        type=click.IntRange(min=1, max=job.MOST_SIZES),
        default=_DEFAULTS.pyramid,
        show_default=True,
        metavar="SIZES",
        help="Paint at so many sizes, from coarse to fine, each twice the one before.",
    ),
    click.option(
        "--start",
        default=CONTENT,
        show_default=True,
        callback=_start,
        metavar="content|noise|PICTURE",
        help="What to begin with; an earlier result is painted further.",
    ),
    click.option(
        "--seed",
        type=click.IntRange(0, 2**32 - 1),
        default=_DEFAULTS.seed,
        show_default=True,
        metavar="N",
        help="Of the noise.",
    ),
    click.option(
        "--mask",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="PICTURE",
        help="Paint where it is white, not where it is black.",
    ),
    click.option(
        "--preserve-color", is_flag=True, help="Keep the photo's colours; paint only light and dark."
    ),
    click.option(
        "--painted-size",
        "keep_size",
        flag_value=False,
        default=True,
        help="Leave the result at the size in which it is painted instead of enlarging it to the photo's.",
    ),
)


def transfer_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of a transfer; it receives them as `options`, fields of Transfer."""

    @functools.wraps(command)
    def wrapped(**values: Any) -> Any:
        options = {name: values.pop(name) for name in _NAMES}
        return command(options=options, **values)

    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped
