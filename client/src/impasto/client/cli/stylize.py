"""`impasto stylize`: paint photos in the style of paintings, or one photo in several as a contact sheet."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import click
from PIL import Image, ImageDraw, ImageFont

from impasto.client import CONCURRENCY, AsyncClient, Client, Model, Progress, StyleSource, Stylize, errors
from impasto.client.cli.files import is_folder, real
from impasto.client.cli.frames import keeps_moving
from impasto.client.cli.options import Common, Number, Pictures, common_options, picture_options
from impasto.client.cli.pairs import pair_up
from impasto.client.cli.resuming import PICTURE, Recipe
from impasto.client.cli.runner import Work, run_pictures
from impasto.client.cli.served import look_up
from impasto.client.cli.video import pair_up_video, run_video
from impasto.client.pictures import ImageSource, Picture, in_srgb, read_picture
from impasto.client.signatures import CONTENT_MINIMUM_SIDE, STYLIZE

_GAP: Final = 12
_TITLE: Final = 26
_FRAME: Final = 3
_INSET: Final = 0.3
_PAPER: Final = (250, 248, 244)
_INK: Final = (40, 40, 40)


@dataclass(frozen=True)
class Panel:
    """A picture and what stands under it.

    Attributes:
        title: a few words; cut off where they are longer than the picture is wide.
        image: of mode L, LA, RGB or RGBA; transparency is shown over white.
        inset: a picture that is shown small in the lower right corner: the painting that the style is of.
    """

    title: str
    image: Image.Image
    inset: Image.Image | None = None


def contact_sheet(panels: Sequence[Panel], *, columns: int, width: int) -> Image.Image:
    """Lay panels out in rows, each picture `width` pixels wide. RGB.

    Args:
        panels: at least one.
        columns: panels in a row.
        width: of a picture in the sheet, in pixels.
    """
    pictures = [_with_inset(panel, width) for panel in panels]
    rows = [range(start, min(start + columns, len(panels))) for start in range(0, len(panels), columns)]
    heights = [max(pictures[i].height for i in row) for row in rows]
    across = min(columns, len(panels))
    size = (_GAP + across * (width + _GAP), _GAP + sum(height + _TITLE + _GAP for height in heights))
    sheet = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=15)
    top = _GAP
    for row, height in zip(rows, heights, strict=True):
        for column, i in enumerate(row):
            left = _GAP + column * (width + _GAP)
            sheet.paste(pictures[i], (left, top))
            place = (left + width / 2, top + height + _TITLE / 2)
            draw.text(place, _cut(panels[i].title, font, width), font=font, fill=_INK, anchor="mm")
        top += height + _TITLE + _GAP
    return sheet


def _with_inset(panel: Panel, width: int) -> Image.Image:
    picture = _fit(panel.image, width)
    if panel.inset is not None:
        small = _fit(panel.inset, round(width * _INSET))
        small.thumbnail((small.width, picture.height // 2))
        left, top = picture.width - small.width - _FRAME, picture.height - small.height - _FRAME
        picture.paste(_PAPER, (left - _FRAME, top - _FRAME, picture.width, picture.height))
        picture.paste(small, (left, top))
    return picture


def _fit(image: Image.Image, width: int) -> Image.Image:
    image = in_srgb(image)  # a sheet of several pictures has no profile of one
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        white.alpha_composite(image.convert("RGBA"))
        image = white
    height = max(1, round(image.height * width / image.width))
    return image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)


def _cut(title: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    if font.getlength(title) <= width:
        return title
    while title and font.getlength(f"{title}…") > width:
        title = title[:-1]
    return f"{title}…"


_SHEET_WIDTH: Final = 384


@click.command(short_help="Paint photos in the style of paintings.")
@picture_options(model=STYLIZE.name, concurrency=CONCURRENCY, every_frame=True)
@click.option(
    "-s",
    "--style",
    "styles",
    multiple=True,
    required=True,
    metavar="PAINTING",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Whose style to take; give it again to blend several.",
)
@click.option(
    "-w",
    "--weight",
    "weights",
    multiple=True,
    type=Number(min=0, max=math.inf, max_open=True),
    metavar="NUMBER",
    help="The share of each style, in their order.  [default: the same for all]",
)
@click.option(
    "--strength",
    type=Number(min=0, max=1),
    default=1.0,
    show_default=True,
    metavar="0..1",
    help="0 is the photo's own style, 1 the painting's.",
)
@click.option("--preserve-color", is_flag=True, help="Keep the photo's colours; paint only light and dark.")
@click.option(
    "--max-side",
    type=click.IntRange(min=CONTENT_MINIMUM_SIDE),
    default=Stylize.max_side,
    show_default=True,
    metavar="PIXELS",
    help="Paint larger photos in this size and enlarge the result again; less gives broader strokes.",
)
@click.option(
    "--sheet", is_flag=True, help="Write one contact sheet: the photo, and it in each of the styles."
)
@common_options
def stylize(
    *,
    common: Common,
    styles: tuple[Path, ...],
    pictures: Pictures,
    model: Model,
    weights: tuple[float, ...],
    sheet: bool,
    **options: Any,
) -> int:
    """Paint photos in the style of a painting, or of a blend of several.

    IN is a picture or a folder of pictures (its subfolders are not searched). Results keep their picture's name and
    size. The paintings are looked at once, however many photos there are. Of an animated GIF, WebP or PNG that goes
    to such a format every frame is painted, and of a video, which goes by itself to .mp4, .mov, .mkv or .webm and
    keeps its sound; it needs impasto-client[video]. A photo that cannot be done does not stop the others. Files of a
    folder that are not read are named at the end, and one that is named twice is done once.

    \b
      impasto stylize photo.jpg --style painting.jpg -o painted.png
      impasto stylize holiday/ -s waves.jpg -w 2 -s stars.jpg -w 1 --strength 0.7 -o painted/
      impasto stylize clip.mp4 -s waves.jpg -o painted.mp4
      impasto stylize photo.jpg -s waves.jpg -s stars.jpg --sheet -o sheet.png
    """
    _check_weights(weights, styles, sheet=sheet)
    if sheet and (len(pictures.inputs) != 1 or is_folder(pictures.inputs[0])):
        raise click.UsageError("--sheet is for one picture")
    if sheet:
        pictures = replace(pictures, every_frame=False)
    film = pair_up_video(pictures, others=styles)
    if film is not None and sheet:
        raise click.UsageError("--sheet is for one picture, not for a video")
    plan = film or pair_up(pictures, others=styles)
    with common.connect() as client:
        job = Stylize(PICTURE, styles, weights=weights or None, model=model, **options)
        recipe = Recipe.of(job, styles, sheet=sheet)
        metadata = look_up(client, model)
        painter = _Painter(
            client,
            styles,
            weights=weights or None,
            splits="style_vector" in metadata.signatures,
            model=model,
            options=options,
        )
        if film is not None:
            every = painter.work(several=True)
            return run_video(client, film, every, recipe=recipe, common=common, pictures=pictures)
        several = len(plan.pairs) > 1 or any(
            keeps_moving(pair.source, pair.output, pictures) for pair in plan.pairs
        )
        work = painter.sheet if sheet else painter.work(several=several)
        unit = "styles" if sheet else "calls"
        return run_pictures(client, plan, work, recipe=recipe, common=common, pictures=pictures, unit=unit)


@dataclass(frozen=True)
class _Painter:
    """Paints photos from files.

    Attributes:
        client: connected.
        styles: the paintings' files.
        weights: of the styles.
        splits: whether the model gives style vectors.
        model: the model.
        options: the other fields of Stylize.
    """

    client: Client
    styles: tuple[Path, ...]
    weights: tuple[float, ...] | None
    splits: bool
    model: Model
    options: dict[str, Any]

    def work(self, *, several: bool) -> Work:
        """Paints a photo in the blend of the styles; for several photos, they are looked at now and only once."""
        style: StyleSource | tuple[Path, ...] = self.styles
        weights = self.weights
        needs_vectors = len(self.styles) > 1 or self.options["strength"] < 1
        if several and (self.splits or needs_vectors):  # where it cannot, that is better said once
            style = self.client.style_vector(self.styles, weights=weights, model=self.model)
            weights = None

        async def paint(
            client: AsyncClient, source: ImageSource, model: Model, show: Callable[[Progress], None]
        ) -> Image.Image:
            if isinstance(source, Picture) and [real(Path(source.name))] == [
                real(path) for path in self.styles
            ]:
                raise errors.InvalidInput("it is the style as well: choose another painting")
            job = Stylize(source, style, weights=weights, model=model, **self.options)
            return await client.run(job, on_progress=show)

        return paint

    async def sheet(
        self, client: AsyncClient, source: ImageSource, model: Model, show: Callable[[Progress], None]
    ) -> Image.Image:
        """A contact sheet of the photo and of it in each of the styles."""
        panels = [Panel("photo", self._read(source))]
        seen: list[Progress] = [Progress(0, 1)]
        for done, style in enumerate(self.styles):
            show(Progress(done, len(self.styles), version=seen[-1].version))
            job = Stylize(source, style, model=model, **self.options)
            painted = await client.run(job, on_progress=seen.append)
            panels.append(Panel(style.stem, painted, inset=self._read(style)))
        show(Progress(len(self.styles), len(self.styles), version=seen[-1].version))
        columns = min(4, math.ceil(math.sqrt(len(panels))))
        return contact_sheet(panels, columns=columns, width=_SHEET_WIDTH)

    def _read(self, source: ImageSource) -> Image.Image:
        picture = read_picture(source, max_pixels=self.client.settings.max_pixels)
        return picture.rebuild(picture.rgb)


def _check_weights(weights: tuple[float, ...], styles: tuple[Path, ...], *, sheet: bool) -> None:
    if not weights:
        return
    if sheet:
        raise click.UsageError("--sheet shows each style by itself, so --weight has no meaning")
    if len(weights) != len(styles):
        raise click.UsageError(f"{len(weights)} --weight for {len(styles)} --style: give one for each")
    if not sum(weights) > 0:
        raise click.UsageError("--weight: they sum to zero; make at least one positive")
