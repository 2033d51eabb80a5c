"""`impasto upscale`: enlarge pictures."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import click

from impasto.client import CONCURRENCY, AsyncClient, DescribeUpscale, Model, Progress, Upscale, signatures
from impasto.client._models.upscale.enlargement import AUTO, LARGEST_SIDE, MOST_MEGAPIXELS
from impasto.client._models.upscale.job import UpscaleToRows, check_asked
from impasto.client.cli.options import Common, Number, Pictures, common_options, picture_options
from impasto.client.cli.pairs import pair_up
from impasto.client.cli.resuming import PICTURE, Recipe
from impasto.client.cli.runner import run_pictures, running
from impasto.client.cli.video import pair_up_video, run_video
from impasto.client.pictures import Picture, RowSink

_SIZES: Final = ("factor", "to", "megapixels")
"""The options that say how large results are, of which one is given at most."""


def _factor(
    _context: click.Context, _option: click.Parameter, value: str | None
) -> int | tuple[int, ...] | None:
    """`4` as a factor, and `4x2` as two that are taken one after the other."""
    if value is None:
        return None
    factors = value.lower().split("x")
    if not all(re.fullmatch("[1-9][0-9]{0,8}", factor) and factor != "1" for factor in factors):
        raise click.BadParameter(f"{value!r} is no factor such as 4, or 4x2 for 4 and then 2")
    return int(value) if len(factors) == 1 else tuple(map(int, factors))


def _size(_context: click.Context, _option: click.Parameter, value: str | None) -> tuple[int, int] | None:
    """`3840x2160` as numbers."""
    if value is None:
        return None
    found = re.fullmatch("([1-9][0-9]{0,6})[xX]([1-9][0-9]{0,6})", value)
    if found is None or max(map(int, found.groups())) > LARGEST_SIDE:
        raise click.BadParameter(
            f"{value!r} is no width and height such as 3840x2160, each of at most {LARGEST_SIDE} pixels"
        )
    return int(found[1]), int(found[2])


@click.command(short_help="Enlarge pictures, to twice their width and height or more.")
@picture_options(
    model=signatures.UPSCALE.usual_model, concurrency=CONCURRENCY, every_frame=True, in_tiles=True
)
@click.option(
    "--factor",
    callback=_factor,
    metavar="N[xN...]",
    help="How many times as wide and high: a factor of the model, which `impasto models` lists. 4x2 is 4 and then 2: "
    "the model is asked again for what it made, and the picture between is kept in memory.  "
    "[default: the model's first]",
)
@click.option(
    "--to",
    callback=_size,
    metavar="WxH",
    help="Make each result as large as fits into this width and height, in its picture's proportions: enlarged by the "
    "model's next factor, or as few as do, and then reduced. A picture that is larger already is only reduced.",
)
@click.option(
    "--megapixels",
    type=Number(min=0, min_open=True, max=MOST_MEGAPIXELS),
    metavar="N",
    help="The same, for results of N million pixels.",
)
@click.option(
    "--tile",
    type=click.IntRange(min=1),
    metavar="PIXELS",
    help="The side of the pieces in which large pictures are sent; less needs less memory on the server.  "
    "[default: what suits the model]",
)
@common_options
def upscale(
    *,
    common: Common,
    pictures: Pictures,
    model: Model,
    factor: int | tuple[int, ...] | None,
    to: tuple[int, int] | None,
    megapixels: float | None,
    tile: int | None,
) -> int:
    """Enlarge pictures: to twice their width and height, or by another factor that the model has.

    IN is a picture or a folder of pictures (its subfolders are not searched). Each result keeps its picture's name,
    gray level or colour, transparency, colour profile and resolution. The format follows the file extension: PNG,
    JPEG, WebP, TIFF or BMP; of other pictures it is PNG. Of an animated GIF, WebP or PNG that goes to such a format
    every frame is done, and of a video, which goes by itself to .mp4, .mov, .mkv or .webm and keeps its sound; it needs
    impasto-client[video]. A picture that cannot be done does not stop the others. Files of a folder that are not read
    are named at the end, and one that is named twice is done once.

    \b
      impasto upscale photo.jpg -o large.png
      impasto upscale photo.jpg -o large.png --model upscaler-base --factor 4
      impasto upscale holiday/ -o wallpapers/ --to 3840x2160
      impasto upscale holiday/ scan.tif -o large/
      impasto upscale holiday/ -o large/ --resume
      impasto upscale moving.gif -o large.webp
      impasto upscale clip.mp4 -o large.mp4 --model upscaler-small
      curl -s https://example.com/photo.jpg | impasto upscale - -o - > large.png
    """
    given = {"factor": factor, "to": to, "megapixels": megapixels}
    named = [f"--{name}" for name in _SIZES if given[name] is not None]
    if len(named) > 1:
        raise click.UsageError(f"{' and '.join(named)}: each says how large results are; give one of them")
    sizes: dict[str, Any] = {"factor": factor, "size": to, "megapixels": megapixels}

    def job(source: Any, model: Model) -> Upscale:
        return Upscale(source, **sizes, tile=AUTO if tile is None else tile, model=model)

    async def rows(
        client: AsyncClient, source: Picture, model: Model, sink: RowSink, show: Callable[[Progress], None]
    ) -> tuple[int, int]:
        return await client.run(UpscaleToRows(job(source, model), sink, model=model), on_progress=show)

    film = pair_up_video(pictures)
    plan = film or pair_up(pictures)
    with common.connect() as client:
        if film is not None or not plan.is_single:
            # A wrong address, model or factor is better said once, before the work, than at every picture.
            check_asked(job(PICTURE, model), client.run(DescribeUpscale(model=model)))
        recipe = Recipe.of(Upscale(PICTURE, **sizes, model=model))  # for most models tiles change no result
        told = {name: value for name, value in given.items() if value is not None}
        if film is not None:
            return run_video(
                client, film, running(job), recipe=recipe, common=common, pictures=pictures, told=told
            )
        return run_pictures(
            client,
            plan,
            running(job),
            recipe=recipe,
            common=common,
            pictures=pictures,
            unit="tiles",
            rows=rows,
            told=told,
        )
