"""`impasto transfer`: paint a picture like another by optimisation."""

from __future__ import annotations

from pathlib import Path

import click

from impasto.client.cli.options import Common, common_options
from impasto.client.cli.picture_job import Files, PictureJob
from impasto.client.cli.transfer_options import transfer_options
from impasto.client.images import MAX_PIXELS
from impasto.client.signatures import TRANSFER
from impasto.client.transfer import TransferKeywords, TransferProgress

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(short_help="Paint a picture like another by optimisation (Gatys et al.).")
@click.argument("source", metavar="IN", type=_FILE)
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
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="OUT",
    type=click.Path(path_type=Path),
    help="The file to write.",
)
@transfer_options
@click.option(
    "--every",
    type=click.IntRange(min=1),
    metavar="N",
    help="Keep the picture after every N steps, counted over all sizes, as OUT with the number in its name.",
)
@click.option(
    "--checkpoint",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Keep in FILE how far the job is. If it is there, go on from it; OUT may be replaced then. It is deleted "
    "when OUT is written.",
)
@click.option("--overwrite", is_flag=True, help="Replace results that exist. Inputs are never replaced.")
@click.option("--model", default=TRANSFER.name, show_default=True, help="The model's name on the server.")
@click.option("--model-version", type=int, metavar="N", help="Its version.  [default: the newest]")
@click.option("--label", help="Its version by label, such as `stable`.")
@click.option(
    "--max-pixels",
    type=click.IntRange(min=1),
    default=MAX_PIXELS,
    show_default=True,
    metavar="N",
    help="Refuse pictures with more pixels than this.",
)
@common_options
def transfer(
    *,
    common: Common,
    source: Path,
    styles: tuple[Path, ...],
    output: Path,
    options: TransferKeywords,
    every: int | None,
    checkpoint: Path | None,
    overwrite: bool,
    model: str,
    model_version: int | None,
    label: str | None,
    max_pixels: int,
) -> int:
    """Paint a picture in the style of another: change its pixels until a network sees the one's content and the
    other's style.

    That takes minutes where `impasto stylize` takes seconds, and shows more detail. Ctrl-C stops within a step or a
    second and keeps the picture so far. While the server is away the command waits for up to a minute.

    \b
      impasto transfer photo.jpg --style painting.jpg -o painted.png
      impasto transfer photo.jpg -s waves.jpg -w 2 -s stars.jpg -w 1 --pyramid 3 --epochs 3 -o painted.png
      impasto transfer photo.jpg -s painting.jpg -o painted.png --every 100 --checkpoint painted.checkpoint
    """
    if model_version is not None and label is not None:
        raise click.UsageError("--model-version and --label: give one of them")
    weights = options.get("weights")
    if weights is not None and len(weights) != len(styles):
        raise click.UsageError(f"{len(weights)} --weight for {len(styles)} --style: give one for each")
    further = (path for path in (options.get("start"), options.get("mask")) if isinstance(path, Path))
    files = Files(
        source=source,
        others=(*styles, *further),
        output=output,
        checkpoint=checkpoint,
        every=every,
        overwrite=overwrite,
    )
    job = PictureJob[TransferProgress](files, common=common, where=_where, measures=_measures)
    with common.connect() as client:
        steps = client.transferring(
            source,
            styles,
            every=every,
            checkpoint=checkpoint,
            model=model,
            version=model_version,
            label=label,
            max_pixels=max_pixels,
            **options,
        )
        return job.run(steps)


def _where(progress: TransferProgress) -> str:
    size = f"size {progress.level} of {progress.levels}, " if progress.levels > 1 else ""
    return f"{size}epoch {progress.epoch} of {progress.epochs}, step {progress.step} of {progress.steps}"


def _measures(progress: TransferProgress) -> dict[str, object]:
    return {
        "style_loss": progress.style_loss,
        "content_loss": progress.content_loss,
        "total_variation_loss": progress.total_variation_loss,
    }
