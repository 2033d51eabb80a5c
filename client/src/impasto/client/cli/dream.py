"""`impasto dream`: let a picture dream."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
from PIL import Image

from impasto.client._jobs import Progress
from impasto.client.async_client import AsyncClient
from impasto.client.cli.batch import run_batch
from impasto.client.cli.dream_options import dream_options
from impasto.client.cli.dream_zoom import run_zoom, zoom_of
from impasto.client.cli.long_jobs import long_job_options, refuse_for_several
from impasto.client.cli.numbers import Number
from impasto.client.cli.options import Common, common_options
from impasto.client.cli.pairs import pair_up
from impasto.client.cli.picture_job import Files, PictureJob
from impasto.client.cli.picture_options import Reference, Results, picture_options
from impasto.client.cli.pipes import read_input
from impasto.client.cli.places import Place
from impasto.client.dream import DreamKeywords, DreamProgress
from impasto.client.pictures import ImageSource
from impasto.client.signatures import DREAM


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
    reference: Reference,
    options: DreamKeywords,
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
            return run_zoom(client, zoom, options, common=common, reference=reference)
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
            return single.run(
                client.dreaming(
                    read_input(pair.source), every=every, checkpoint=checkpoint, **reference, **options
                )
            )
    refuse_for_several(every=every, checkpoint=checkpoint)

    async def job(
        asynchronous: AsyncClient, source: ImageSource, show: Callable[[Progress], None]
    ) -> Image.Image:
        return await asynchronous.dream(source, on_progress=show, **reference, **options)

    with common.connect() as client:
        client.describe_dream(
            model=reference["model"], version=reference["version"], label=reference["label"]
        )
        return run_batch(client, plan, job, common=common, results=results, unit="steps")


def _where(progress: DreamProgress) -> str:
    return f"octave {progress.octave} of {progress.octaves}, step {progress.step} of {progress.steps}"


def _measures(progress: DreamProgress) -> dict[str, object]:
    return {"loss": progress.loss}
