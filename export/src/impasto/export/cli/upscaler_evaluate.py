"""`impasto-export upscaler evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from impasto.export.cli.evaluating import Evaluation, evaluation_options
from impasto.export.cli.options import MODELS, TensorFlowCommand


def _chosen(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, int | None], ...]:
    """`NAME` or `NAME:VERSION` as the name and the number, None for the newest."""
    chosen: list[tuple[str, int | None]] = []
    for value in values:
        name, colon, number = value.partition(":")
        if colon and not (number.isdecimal() and int(number) > 0):
            raise click.BadParameter(f"{value!r} is not NAME or NAME:VERSION, such as srcnn:2")
        chosen.append((name, int(number) if colon else None))
    return tuple(chosen)


@click.command(cls=TensorFlowCommand)
@click.option(
    "--model",
    "chosen",
    callback=_chosen,
    metavar="NAME[:VERSION]",
    multiple=True,
    help="The upscaler to measure; may be given several times, to see them side by side. Default: every one.",
)
@MODELS
@evaluation_options
def evaluate(models: Path, chosen: tuple[tuple[str, int | None], ...], **asked: Any) -> None:
    """Measure exported upscalers against bicubic interpolation, and side by side.

    Each photo is cut to sides that the factor divides, shrunk by it with Pillow's antialiased bicubic filter, enlarged
    again, and compared with the original: PSNR over all pixels, and SSIM of luma.

    \b
      impasto-export upscaler evaluate --model srcnn --model upscaler-small
      impasto-export upscaler evaluate --model upscaler-base-real --jpeg 50 --require-gain 1
    """
    from impasto.export.upscale.exported import upscalers

    names = chosen or tuple((name, None) for name in upscalers(models))
    Evaluation(models=models, chosen=names, **asked).run()
