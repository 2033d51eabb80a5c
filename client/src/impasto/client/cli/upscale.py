"""`impasto upscale`: double the width and height of pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
from PIL import Image

from impasto.client._jobs import Progress
from impasto.client.cli.batch import run_batch
from impasto.client.cli.options import Common, common_options
from impasto.client.cli.pairs import pair_up
from impasto.client.images import MAX_PIXELS
from impasto.client.signatures import SRCNN
from impasto.client.tiling import SRCNN_OVERLAP
from impasto.client.upscale import TILE


@click.command(short_help="Double the width and height of pictures.")
@click.argument("inputs", metavar="IN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="OUT",
    type=click.Path(path_type=Path),
    help="The file to write or, for several pictures or a folder, the folder to write them to.",
)
@click.option("--overwrite", is_flag=True, help="Replace results that exist. Inputs are never replaced.")
@click.option("--model", default=SRCNN.name, show_default=True, help="The upscaler's name on the server.")
@click.option("--model-version", type=int, metavar="N", help="Its version.  [default: the newest]")
@click.option("--label", help="Its version by label, such as `stable`.")
@click.option(
    "--tile",
    type=click.IntRange(min=2 * SRCNN_OVERLAP + 1),
    default=TILE,
    show_default=True,
    metavar="PIXELS",
    help="The side of the pieces in which large pictures are sent; less needs less memory on the server.",
)
@click.option(
    "--max-pixels",
    type=click.IntRange(min=1),
    default=MAX_PIXELS,
    show_default=True,
    metavar="N",
    help="Refuse pictures with more pixels than this.",
)
@common_options
def upscale(
    *,
    common: Common,
    inputs: tuple[Path, ...],
    output: Path,
    overwrite: bool,
    model: str,
    model_version: int | None,
    label: str | None,
    tile: int,
    max_pixels: int,
) -> int:
    """Double the width and height of pictures.

    IN is a picture or a folder of pictures (its subfolders are not searched). Each result keeps its picture's name,
    gray level or colour, transparency, colour profile and resolution. The format follows the file extension: PNG,
    JPEG, WebP, TIFF or BMP. A picture that cannot be done does not stop the others.

    \b
      impasto upscale photo.jpg -o large.png
      impasto upscale holiday/ scan.tif -o large/
    """
    if model_version is not None and label is not None:
        raise click.UsageError("--model-version and --label: give one of them")
    plan = pair_up(inputs, output)
    with common.connect() as client:
        # Ask first: a wrong address, model, version or label is better said before the work than at every picture.
        client.metadata(model, version=model_version, label=label)

        def job(source: Path, show: Callable[[Progress], None]) -> Image.Image:
            return client.upscale(
                source,
                tile=tile,
                on_progress=show,
                model=model,
                version=model_version,
                label=label,
                max_pixels=max_pixels,
            )

        return run_batch(plan, job, common=common, overwrite=overwrite, unit="tiles")
