"""Frames as one animated GIF."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import Final

from impasto.client.pictures import flattened, write_bytes
from PIL import Image

from impasto.client.errors import UnwritableOutput

FRAME_MILLISECONDS: Final = 100


def to_frame(image: Image.Image) -> Image.Image:
    """An image of mode L, LA, RGB or RGBA with the 256 colours that suit it best; transparency becomes white."""
    return flattened(image).convert("RGB").quantize(256, dither=Image.Dither.FLOYDSTEINBERG)


def write_animation(
    path: str | os.PathLike[str],
    frames: Sequence[Image.Image],
    *,
    milliseconds: int = FRAME_MILLISECONDS,
    overwrite: bool = False,
) -> None:
    """Write frames as a GIF that repeats for ever.

    Args:
        path: the file to write, in a folder that exists.
        frames: at least one, all of one size, as `to_frame` makes them.
        milliseconds: that each is shown.
        overwrite: replace the file if it exists.

    Raises:
        OutputError: OutputExists, or UnwritableOutput when the format or the system refuses.
    """
    first, *rest = frames
    buffer = io.BytesIO()
    try:
        first.save(buffer, "GIF", save_all=True, append_images=rest, duration=milliseconds, loop=0)
    except (OSError, ValueError) as error:  # sides beyond 65,535 pixels
        raise UnwritableOutput(f"cannot write {path} as GIF: {error}") from error
    write_bytes(path, buffer.getbuffer(), overwrite=overwrite)
