"""Contact sheets: titled pictures in rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

_GAP = 12
_TITLE = 26
_PAPER = (250, 248, 244)
_INK = (40, 40, 40)


@dataclass(frozen=True)
class Panel:
    """A picture and what stands under it."""

    title: str
    image: Image.Image


def contact_sheet(rows: Sequence[Sequence[Panel]], *, width: int) -> Image.Image:
    """Lay out rows of panels, each picture scaled to `width` pixels, its title below it.

    Small details are enlarged by whole pixels, so that what is seen is what was computed.
    """
    scaled = [[(panel.title, _fit(panel.image, width)) for panel in row] for row in rows]
    heights = [max(image.height for _, image in row) for row in scaled]
    columns = max(map(len, scaled))
    size = (_GAP + columns * (width + _GAP), _GAP + sum(heights) + len(scaled) * (_TITLE + _GAP))
    sheet = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=15)
    top = _GAP
    for row, height in zip(scaled, heights, strict=True):
        for column, (title, image) in enumerate(row):
            left = _GAP + column * (width + _GAP)
            sheet.paste(image, (left, top))
            draw.text((left + width / 2, top + height + _TITLE / 2), title, font=font, fill=_INK, anchor="mm")
        top += height + _TITLE + _GAP
    return sheet


def _fit(image: Image.Image, width: int) -> Image.Image:
    enlarges = image.width < width
    height = round(image.height * width / image.width)
    method = Image.Resampling.NEAREST if enlarges else Image.Resampling.LANCZOS
    return image.convert("RGB").resize((width, height), method)
