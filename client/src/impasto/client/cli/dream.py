"""`impasto dream`: let a picture dream."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from impasto.client import DescribeDream, Dream, DreamProgress, Model
from impasto.client._jobs.values import MOST_STEPS
from impasto.client._models.dream import job
from impasto.client.cli.files import Place, read_input
from impasto.client.cli.options import Common, Number, common_options
from impasto.client.cli.pairs import pair_up
from impasto.client.cli.picture_job import Files, PictureJob
from impasto.client.cli.picture_options import (
    Results,
    layers,
    long_job_options,
    picture_options,
    refuse_for_several,
)
from impasto.client.cli.runner import run_batch, running
from impasto.client.cli.zoom import run_zoom, zoom_of
from impasto.client.signatures import DREAM

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


@click.command(short_help="Let a picture dream (DeepDream).")
@picture_options(model=DREAM.name, concurrency=1)
@dream_options
@long_job_options
@click.option(
    "--zoom",
    "frames",
    type=click.IntRange(min=1),
    metavar="FRAMES",
    help="Dream, zoom in, dream again, ...: into a .gif, or as frame-00001.png, ... into a folder, of which ffmpeg "
    "makes a video (`-o dream.mp4` tells the command).",
)
@click.option(
    "--zoom-factor",
    type=Number(min=1.0, max=10.0),
    default=1.05,
    show_default=True,
    metavar="RATIO",
    help="How far --zoom goes in from frame to frame.",
)
@common_options
def dream(
    *,
    common: Common,
    inputs: tuple[Place, ...],
    results: Results,
    model: Model,
    options: dict[str, Any],
    every: int | None,
    checkpoint: Path | None,
    frames: int | None,
    zoom_factor: float,
) -> int:
    """Let a picture dream: change it so that layers of a network respond more strongly to it.

    IN is a picture, several, or a folder of them. The options that are not given take what the served model suggests;
    `impasto models -s` shows it. Ctrl-C stops within a second and keeps the picture so far. While the server is away
    the command waits for it, up to 5 minutes (IMPASTO_PATIENCE).

    \b
      impasto dream photo.jpg -o dream.png
      impasto dream photo.jpg -o dream.png --layers mixed3,mixed5=0.5 --steps 100
      impasto dream photo.jpg -o dream.gif --zoom 30 --steps 10
      impasto dream photo.jpg -o frames/ --zoom 30 --steps 10
      impasto dream holiday/ -o dreams/ --resume
    """
    guide = options.get("guide")
    others = (guide,) if isinstance(guide, Path) else ()
    if frames is not None:
        if every is not None or checkpoint is not None or results.resume:
            raise click.UsageError(
                "--zoom keeps frames, and takes neither --every, --checkpoint nor --resume"
            )
        zoom = zoom_of(inputs, results, others=others, frames=frames, factor=zoom_factor)
        with common.connect() as client:
            return run_zoom(client, zoom, options, common=common, model=model)
    plan = pair_up(inputs, results, others=others)
    if plan.is_single and not results.resume:
        (pair,) = plan.pairs
        files = Files(
            source=pair.source,
            others=others,
            output=pair.output,
            checkpoint=checkpoint,
            every=every,
            overwrite=results.overwrite,
        )
        single = PictureJob[DreamProgress](files, common=common, where=_where, measures=_measures)
        with common.connect() as client:
            job = Dream(read_input(pair.source), model=model, **options)
            return single.run(client.iterate(job, every=every, checkpoint=checkpoint))
    refuse_for_several(every=every, checkpoint=checkpoint)
    work = running(lambda source: Dream(source, model=model, **options))
    with common.connect() as client:
        client.run(DescribeDream(model=model))
        return run_batch(client, plan, work, common=common, results=results, unit="steps")


def _where(progress: DreamProgress) -> str:
    return f"octave {progress.octave} of {progress.octaves}, step {progress.step} of {progress.steps}"


def _measures(progress: DreamProgress) -> dict[str, object]:
    return {"loss": progress.loss}
