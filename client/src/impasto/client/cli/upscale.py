"""`impasto upscale`: double the width and height of pictures."""

from __future__ import annotations

from collections.abc import Callable

import click

from impasto.client import CONCURRENCY, AsyncClient, Model, Progress, Upscale, signatures
from impasto.client._models.upscale import LEAST_TILE, TILE, UpscaleToRows
from impasto.client.cli.options import Common, common_options
from impasto.client.cli.pairs import pair_up
from impasto.client.cli.picture_options import Pictures, picture_options
from impasto.client.cli.resuming import PICTURE, Recipe
from impasto.client.cli.runner import run_pictures, running
from impasto.client.cli.served import look_up
from impasto.client.pictures import Picture, RowSink


@click.command(short_help="Double the width and height of pictures.")
@picture_options(
    model=signatures.UPSCALE.usual_model, concurrency=CONCURRENCY, every_frame=True, in_tiles=True
)
@click.option(
    "--tile",
    type=click.IntRange(min=LEAST_TILE),
    default=TILE,
    show_default=True,
    metavar="PIXELS",
    help="The side of the pieces in which large pictures are sent; less needs less memory on the server.",
)
@common_options
def upscale(*, common: Common, pictures: Pictures, model: Model, tile: int) -> int:
    """Double the width and height of pictures.

    IN is a picture or a folder of pictures (its subfolders are not searched). Each result keeps its picture's name,
    gray level or colour, transparency, colour profile and resolution. The format follows the file extension: PNG,
    JPEG, WebP, TIFF or BMP; of other pictures it is PNG. Of an animated GIF, WebP or PNG that goes to such a format
    every frame is done. A picture that cannot be done does not stop the others. Files of a folder that are not read
    are named at the end, and one that is named twice is done once.

    \b
      impasto upscale photo.jpg -o large.png
      impasto upscale holiday/ scan.tif -o large/
      impasto upscale holiday/ -o large/ --resume
      impasto upscale moving.gif -o large.webp
      curl -s https://example.com/photo.jpg | impasto upscale - -o - > large.png
    """

    async def rows(
        client: AsyncClient, source: Picture, model: Model, sink: RowSink, show: Callable[[Progress], None]
    ) -> tuple[int, int]:
        job = UpscaleToRows(Upscale(source, tile=tile, model=model), sink, model=model)
        return await client.run(job, on_progress=show)

    plan = pair_up(pictures)
    with common.connect() as client:
        if not plan.is_single:
            look_up(client, model)
        work = running(lambda source, model: Upscale(source, tile=tile, model=model))
        recipe = Recipe.of(Upscale(PICTURE, model=model))  # the size of tiles changes no result
        return run_pictures(
            client, plan, work, recipe=recipe, common=common, pictures=pictures, unit="tiles", rows=rows
        )
