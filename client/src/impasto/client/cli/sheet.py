"""Contact sheets: one photo in several styles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from impasto.client.pictures import in_srgb

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
