"""`impasto transfer`: paint a picture like another by optimisation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
from PIL import Image

from impasto.client._jobs import Progress
from impasto.client.async_client import AsyncClient
from impasto.client.cli.batch import run_batch
from impasto.client.cli.long_jobs import long_job_options, refuse_for_several
from impasto.client.cli.options import Common, common_options
from impasto.client.cli.pairs import pair_up
from impasto.client.cli.picture_job import Files, PictureJob
from impasto.client.cli.picture_options import Reference, Results, picture_options
from impasto.client.cli.pipes import read_input
from impasto.client.cli.places import Place
from impasto.client.cli.transfer_options import transfer_options
from impasto.client.pictures import ImageSource
from impasto.client.signatures import TRANSFER
from impasto.client.transfer import TransferKeywords, TransferProgress

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(short_help="Paint a picture like another by optimisation (Gatys et al.).")
@picture_options(model=TRANSFER.name, concurrency=1)
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
@transfer_options
@long_job_options
@common_options
def transfer(
    *,
    common: Common,
    inputs: tuple[Place, ...],
    styles: tuple[Path, ...],
    results: Results,
    reference: Reference,
    options: TransferKeywords,
    every: int | None,
    checkpoint: Path | None,
) -> int:
    """Paint a picture in the style of another: change its pixels until a network sees the one's content and the
    other's style.

    That takes minutes where `impasto stylize` takes seconds, and shows more detail. Ctrl-C stops within a step or a
    second and keeps the picture so far. While the server is away the command waits for it, up to 5
    minutes (IMPASTO_PATIENCE).

    \b
      impasto transfer photo.jpg --style painting.jpg -o painted.png
      impasto transfer photo.jpg -s waves.jpg -w 2 -s stars.jpg -w 1 --pyramid 3 --epochs 3 -o painted.png
      impasto transfer photo.jpg -s painting.jpg -o painted.png --every 100 --checkpoint painted.checkpoint
    """
    weights = options.get("weights")
    if weights is not None and len(weights) != len(styles):
        raise click.UsageError(f"{len(weights)} --weight for {len(styles)} --style: give one for each")
    further = (path for path in (options.get("start"), options.get("mask")) if isinstance(path, Path))
    others = (*styles, *further)
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
        single = PictureJob[TransferProgress](files, common=common, where=_where, measures=_measures)
        with common.connect() as client:
            source = read_input(pair.source)
            return single.run(
                client.transferring(
                    source, styles, every=every, checkpoint=checkpoint, **reference, **options
                )
            )
    refuse_for_several(every=every, checkpoint=checkpoint)

    async def job(
        asynchronous: AsyncClient, source: ImageSource, show: Callable[[Progress], None]
    ) -> Image.Image:
        return await asynchronous.transfer(source, styles, on_progress=show, **reference, **options)

    with common.connect() as client:
        client.describe_transfer(
            model=reference["model"], version=reference["version"], label=reference["label"]
        )
        return run_batch(client, plan, job, common=common, results=results, unit="steps")


def _where(progress: TransferProgress) -> str:
    size = f"size {progress.level} of {progress.levels}, " if progress.levels > 1 else ""
    return f"{size}epoch {progress.epoch} of {progress.epochs}, step {progress.step} of {progress.steps}"


def _measures(progress: TransferProgress) -> dict[str, object]:
    return {
        "style_loss": progress.style_loss,
        "content_loss": progress.content_loss,
        "total_variation_loss": progress.total_variation_loss,
    }
