"""`impasto dream`: let a picture dream."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from impasto.client import DescribeDream, Dream, DreamProgress, Model, signatures
from impasto.client._models.dream import job
from impasto.client._models.dream.recipes import FINE, RECIPES
from impasto.client.cli.long_jobs import LongJobs, run_long_jobs
from impasto.client.cli.options import Common, Number, common_options, layers, number
from impasto.client.cli.picture_options import Keep, Pictures, job_options, long_job_options, picture_options
from impasto.client.cli.zoom import run_zoom, zoom_of


def _octaves(_context: click.Context, _option: click.Parameter, value: str | None) -> list[int] | None:
    """`-2,-1,0` as numbers."""
    try:
        return None if value is None else [int(entry) for entry in value.split(",")]
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a list of whole numbers such as -2,-1,0") from None


_OPTIONS = (
    click.option(
        "--recipe",
        type=click.Choice(list(RECIPES)),
        default=FINE,
        show_default=True,
        help="fine: clean structures, the photo's own detail. classic: DeepDream as it was published, with the "
        "numbers that the model suggests.",
    ),
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
        type=number(job.RANGES["octave_scale"]),
        metavar="RATIO",
        help="How much larger each octave is.",
    ),
    click.option(
        "--steps",
        type=number(job.RANGES["steps"]),
        metavar="N",
        help="Gradient steps at each octave.",
    ),
    click.option(
        "--step-size",
        type=number(job.RANGES["step_size"]),
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
        type=number(job.RANGES["tile"]),
        metavar="PIXELS",
        help="Take gradients in pieces of this size, which needs less memory on the server; 0 for none.  "
        "[default: 512 for pictures above a megapixel]",
    ),
    click.option(
        "--seed",
        type=number(job.RANGES["seed"]),
        default=0,
        show_default=True,
        metavar="N",
        help="Of the random shifts.",
    ),
)


@click.command(short_help="Let a picture dream (DeepDream).")
@picture_options(model=signatures.DREAM.name, concurrency=1)
@job_options(Dream, _OPTIONS, besides=("image", "model"))
@long_job_options
@click.option(
    "--zoom",
    "frames",
    type=click.IntRange(min=1),
    metavar="FRAMES",
    help="Dream, zoom in, dream again, ...: into a video (.mp4, .mov, .mkv or .webm, by impasto-client[video]), a "
    ".gif, or as frame-00001.png, ... into a folder.",
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
    pictures: Pictures,
    model: Model,
    options: dict[str, Any],
    keep: Keep,
    frames: int | None,
    zoom_factor: float,
) -> int:
    """Let a picture dream: change it so that layers of a network respond more strongly to it.

    IN is a picture, several, or a folder of them. The options that are not given take what the recipe says, and else
    what the served model suggests; `impasto models -s` shows it. Ctrl-C stops at once and keeps the picture of the last
    answer, not more than 10 seconds or a step old. While the server is away the command waits for it, up to 5 minutes
    (IMPASTO_PATIENCE).

    \b
      impasto dream photo.jpg -o dream.png
      impasto dream photo.jpg -o dream.png --layers mixed3,mixed5=0.5 --steps 100
      impasto dream photo.jpg -o dream.png --recipe classic --octaves -2,-1,0
      impasto dream photo.jpg -o dream.mp4 --zoom 30 --steps 10
      impasto dream photo.jpg -o frames/ --zoom 30 --steps 10
      impasto dream holiday/ -o dreams/ --resume
    """
    guide = options.get("guide")
    others = (guide,) if isinstance(guide, Path) else ()
    if frames is not None:
        if keep != Keep(None, None) or pictures.resume:
            raise click.UsageError(
                "--zoom keeps frames, and takes neither --every, --checkpoint nor --resume"
            )
        zoom = zoom_of(pictures, others=others, frames=frames, factor=zoom_factor)
        with common.connect() as client:
            return run_zoom(
                client,
                zoom,
                lambda picture, pinned: Dream(picture, model=pinned, **options),
                common=common,
                model=model,
            )
    jobs = LongJobs(
        lambda picture: Dream(picture, model=model, **options),
        describe=DescribeDream(model=model),
        where=_where,
        measures=_measures,
    )
    return run_long_jobs(jobs, pictures, others=others, keep=keep, common=common)


def _where(progress: DreamProgress) -> str:
    return f"octave {progress.octave} of {progress.octaves}, step {progress.step} of {progress.steps}"


def _measures(progress: DreamProgress) -> dict[str, object]:
    return {"loss": progress.loss}
