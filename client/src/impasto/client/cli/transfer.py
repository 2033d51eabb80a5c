"""`impasto transfer`: paint a picture like another by optimisation."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from impasto.client import DescribeTransfer, Model, Transfer, TransferProgress, signatures
from impasto.client._models.transfer import job
from impasto.client._models.transfer.recipes import CONTENT, NOISE, RECIPES
from impasto.client.cli import options
from impasto.client.cli.long_jobs import LongJobs, run_long_jobs

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


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
        type=options.number(job.RANGES[f"{what}_weight"]),
        metavar="NUMBER",
        help=f"Of the {what} in the loss.  [default: the recipe's; classic: what the model suggests]",
    )


def _layers(name: str, what: str) -> Callable[[Any], Any]:
    return click.option(
        name,
        callback=options.layers,
        metavar="NAME[=WEIGHT],...",
        help=f"The layers whose {what}. `impasto models -s` lists them.",
    )


_OPTIONS = (
    click.option(
        "--recipe",
        type=click.Choice(tuple(RECIPES)),
        default=Transfer.recipe,
        show_default=True,
        help="fine paints best; draft takes 30 seconds, gallery paints at 1024 pixels; classic is the published one.",
    ),
    click.option(
        "--epochs",
        type=options.number(job.RANGES["epochs"]),
        metavar="N",
        help="Epochs at each size; but in classic, twice as many at the first.  [default: the recipe's]",
    ),
    click.option(
        "--steps-per-epoch",
        type=options.number(job.RANGES["steps_per_epoch"]),
        metavar="N",
        help="Optimisation steps in each.  [default: the recipe's]",
    ),
    click.option(
        "-w",
        "--weight",
        "weights",
        multiple=True,
        type=options.Number(min=0, max=math.inf, max_open=True),
        callback=_weights,
        metavar="NUMBER",
        help="The share of each style, in their order.  [default: the same for all]",
    ),
    click.option(
        "--style-scale",
        type=options.number(job.RANGES["style_scale"]),
        default=Transfer.style_scale,
        show_default=True,
        metavar="RATIO",
        help="Size of the style beside the painting; more gives larger strokes.",
    ),
    _weight("--style-weight", "style"),
    _weight("--content-weight", "content"),
    click.option(
        "--tv-weight",
        "total_variation_weight",
        type=options.number(job.RANGES["total_variation_weight"]),
        metavar="NUMBER",
        help="Of the differences between neighbouring pixels in the loss; more is smoother.",
    ),
    _layers("--style-layers", "Gram matrices are the style"),
    _layers("--content-layers", "activations are the content"),
    click.option(
        "--learning-rate",
        type=options.number(job.RANGES["learning_rate"]),
        metavar="RATE",
        help="How far each step goes.",
    ),
    click.option(
        "--max-side",
        type=options.number(job.RANGES["max_side"]),
        metavar="PIXELS",
        help="Paint larger pictures in this size; 0 in their own.  [default: 512; draft 256, gallery 1024]",
    ),
    click.option(
        "--pyramid",
        type=options.number(job.RANGES["pyramid"]),
        metavar="SIZES",
        help="Paint at so many sizes, from coarse to fine, each 1.41 times the one before; in classic, twice.  "
        "[default: down to 128 pixels; in classic 1]",
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
        type=options.number(job.RANGES["seed"]),
        default=Transfer.seed,
        show_default=True,
        metavar="N",
        help="Of the noise.",
    ),
    click.option(
        "--mask",
        type=_FILE,
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


@click.command(short_help="Paint a picture like another by optimisation (Gatys et al.).")
@options.picture_options(model=signatures.TRANSFER.name, concurrency=1)
@click.option(
    "-s",
    "--style",
    "styles",
    multiple=True,
    required=True,
    metavar="PAINTING",
    type=_FILE,
    help="The picture to paint like; give it again to mix several.",
)
@options.job_options(Transfer, _OPTIONS, besides=("content", "style", "model"))
@options.long_job_options
@options.common_options
def transfer(
    *,
    common: options.Common,
    styles: tuple[Path, ...],
    pictures: options.Pictures,
    model: Model,
    fields: dict[str, Any],
    keep: options.Keep,
) -> int:
    """Paint a picture in the style of another: change its pixels until a network sees the one's content and the
    other's style.

    That takes minutes where `impasto stylize` takes seconds, and shows more detail. Ctrl-C stops at once and keeps
    the picture of the last answer, not more than 10 seconds or a step old. While the server is away the command waits
    for it, up to 5 minutes (IMPASTO_PATIENCE).

    \b
      impasto transfer photo.jpg --style painting.jpg -o painted.png
      impasto transfer photo.jpg -s waves.jpg -w 2 -s stars.jpg -w 1 --recipe draft -o painted.png
      impasto transfer photo.jpg -s painting.jpg -o painted.png --every 100 --checkpoint painted.checkpoint
    """
    weights = fields.get("weights")
    if weights is not None and len(weights) != len(styles):
        raise click.UsageError(f"{len(weights)} --weight for {len(styles)} --style: give one for each")
    further = (path for path in (fields.get("start"), fields.get("mask")) if isinstance(path, Path))
    jobs = LongJobs(
        lambda picture: Transfer(picture, styles, model=model, **fields),
        describe=DescribeTransfer(model=model),
        where=_where,
        measures=_measures,
    )
    return run_long_jobs(jobs, pictures, others=(*styles, *further), keep=keep, common=common)


def _where(progress: TransferProgress) -> str:
    size = f"size {progress.level} of {progress.levels}, " if progress.levels > 1 else ""
    return f"{size}epoch {progress.epoch} of {progress.epochs}, step {progress.step} of {progress.steps}"


def _measures(progress: TransferProgress) -> dict[str, object]:
    return {
        "style_loss": progress.style_loss,
        "content_loss": progress.content_loss,
        "total_variation_loss": progress.total_variation_loss,
    }
