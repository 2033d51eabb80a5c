"""`impasto dream`: let a picture dream."""

from __future__ import annotations

from pathlib import Path

import click

from impasto.client.cli.dream_options import dream_options
from impasto.client.cli.dream_zoom import Zoom, run_zoom
from impasto.client.cli.options import Common, common_options
from impasto.client.cli.picture_job import Files, PictureJob
from impasto.client.dream import DreamKeywords, DreamProgress
from impasto.client.signatures import DREAM


@click.command(short_help="Let a picture dream (DeepDream).")
@click.argument("source", metavar="IN", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="OUT",
    type=click.Path(path_type=Path),
    help="The file to write; with --zoom a .gif, or a folder for the frames.",
)
@dream_options
@click.option(
    "--every",
    type=click.IntRange(min=1),
    metavar="N",
    help="Keep the picture after every N steps, counted over all octaves, as OUT with the number in its name.",
)
@click.option(
    "--checkpoint",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Keep in FILE how far the dream is. If it is there, go on from it; OUT may be replaced then. It is deleted "
    "when OUT is written.",
)
@click.option(
    "--zoom", "frames", type=click.IntRange(min=1), metavar="FRAMES", help="Dream, zoom in, dream again, ..."
)
@click.option(
    "--zoom-factor",
    type=click.FloatRange(min=1.0, max=10.0),
    default=1.05,
    show_default=True,
    metavar="RATIO",
    help="How far --zoom goes in from frame to frame.",
)
@click.option("--overwrite", is_flag=True, help="Replace results that exist. The input is never replaced.")
@click.option("--model", default=DREAM.name, show_default=True, help="The model's name on the server.")
@click.option("--model-version", type=int, metavar="N", help="Its version.  [default: the newest]")
@click.option("--label", help="Its version by label, such as `stable`.")
@common_options
def dream(
    *,
    common: Common,
    source: Path,
    output: Path,
    options: DreamKeywords,
    every: int | None,
    checkpoint: Path | None,
    frames: int | None,
    zoom_factor: float,
    overwrite: bool,
    model: str,
    model_version: int | None,
    label: str | None,
) -> int:
    """Let a picture dream: change it so that layers of a network respond more strongly to it.

    The options that are not given take what the served model suggests; `impasto models -s` shows it. Ctrl-C stops
    within a second and keeps the picture so far. While the server is away the command waits for up to a minute.

    \b
      impasto dream photo.jpg -o dream.png
      impasto dream photo.jpg -o dream.png --layers mixed3,mixed5=0.5 --octaves -2,-1,0 --steps 100
      impasto dream photo.jpg -o dream.gif --zoom 30 --steps 10
    """
    if model_version is not None and label is not None:
        raise click.UsageError("--model-version and --label: give one of them")
    if output.resolve() == source.resolve():
        raise click.ClickException(f"the result would replace the input {source}; choose another -o")
    if frames is not None:
        if every is not None or checkpoint is not None:
            raise click.UsageError("--zoom keeps frames, and takes neither --every nor --checkpoint")
        zoom = Zoom(source=source, output=output, frames=frames, factor=zoom_factor, overwrite=overwrite)
        with common.connect() as client:
            return run_zoom(
                client, zoom, options, common=common, model=model, version=model_version, label=label
            )
    files = Files(source=source, output=output, checkpoint=checkpoint, every=every, overwrite=overwrite)
    job = PictureJob[DreamProgress](files, common=common, where=_where, measures=_measures)
    with common.connect() as client:
        steps = client.dreaming(
            source,
            every=every,
            checkpoint=checkpoint,
            model=model,
            version=model_version,
            label=label,
            **options,
        )
        return job.run(steps)


def _where(progress: DreamProgress) -> str:
    return f"octave {progress.octave} of {progress.octaves}, step {progress.step} of {progress.steps}"


def _measures(progress: DreamProgress) -> dict[str, object]:
    return {"loss": progress.loss}
