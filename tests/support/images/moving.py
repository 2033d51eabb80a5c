"""Animations for tests, made by Pillow, and what Pillow finds in those that the commands write."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

SIZE: Final = (40, 24)
MILLISECONDS: Final = (40, 70, 100, 250)


def drawn(*, clear: bool = False) -> list[Image.Image]:
    """A disc that goes over smooth colours, or over nothing, in four frames."""
    rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
    ground = np.stack([100 + 2 * columns, 60 + 4 * rows, 150 - 2 * columns], -1).astype(np.uint8)
    frames = []
    for number in range(len(MILLISECONDS)):
        frame = Image.new("RGBA", SIZE) if clear else Image.fromarray(ground).convert("RGBA")
        ImageDraw.Draw(frame).ellipse(
            (8 * number + 2, 6, 8 * number + 12, 16), fill=(220, 40 + 30 * number, 60, 255)
        )
        frames.append(frame if clear else frame.convert("RGB"))
    return frames


def animation(kind: str, *, clear: bool = False, loop: int = 3, **options: Any) -> bytes:
    """These frames as a GIF, WEBP or PNG."""
    first, *rest = drawn(clear=clear)
    own: dict[str, Any] = {}
    if kind == "WEBP":
        own["lossless"] = True
    if kind == "GIF" and clear:
        own["disposal"] = 2
    buffer = io.BytesIO()
    first.save(
        buffer, kind, save_all=True, append_images=rest, duration=MILLISECONDS, loop=loop, **own, **options
    )
    return buffer.getvalue()


@dataclass(frozen=True)
class Found:
    """What Pillow finds in a file: its format, each frame as RGBA with its time, and the loop."""

    kind: str
    frames: list[NDArray[np.uint8]]
    milliseconds: list[float]
    loop: int | None


def found(file: Path | bytes) -> Found:
    """Look at a file with Pillow alone."""
    with Image.open(file if isinstance(file, Path) else io.BytesIO(file)) as image:
        frames, times = [], []
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            image.load()
            frames.append(np.asarray(image.convert("RGBA")))
            times.append(float(image.info.get("duration", 0)))
        return Found(image.format or "", frames, times, image.info.get("loop"))
