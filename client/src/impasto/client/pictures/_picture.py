"""A picture taken apart, and put together again around other pixels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client.pictures._metadata import fitting_profile
from impasto.client.pictures._notes import Notes, warn


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture taken apart.

    Attributes:
        rgb: uint8 [H, W, 3], what a model works on. Colours under full transparency, which nobody sees, are
            replaced by those of the nearest visible pixels so that they do not bleed into the visible ones.
        alpha: uint8 [H, W], or None for an opaque picture.
        gray: whether the picture has no colour, so that the result should have none either.
        info: what is carried into the result, validated: `icc_profile` (bytes), `dpi` (pair of floats) and `exif`
            (bytes: date, place, author, copyright, description and camera), as far as present.
        name: what messages call it: its path, or "the image".
        frames: the number of frames or pages of its file.
        frame: which of them this is, from 0.
        notes: what was left out, mended or chosen when it was read; each begins with the name.
    """

    rgb: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None
    gray: bool = False
    info: dict[str, Any] = field(default_factory=dict)
    name: str = "the image"
    frames: int = 1
    frame: int = 0
    notes: tuple[str, ...] = ()

    def rebuild(self, rgb: NDArray[np.uint8]) -> Image.Image:
        """The result as an image like this picture: gray if it was gray, with its alpha, profile, resolution and EXIF
        data.

        A profile that does not describe the result's pixels, as that of a gray picture which became coloured, is
        left out with a PictureWarning.

        Args:
            rgb: uint8 [h, w, 3] of any size; alpha is resized to it bicubically.

        Returns:
            A PIL image of mode L, LA, RGB or RGBA.

        Raises:
            TypeError: `rgb` is no such array.
        """
        height, width = rgb.shape[:2]
        image = self.rebuild_rows(rgb, 0, (width, height))
        image.info.update(self.info_for(image.mode))
        return image

    @property
    def mode(self) -> str:
        """The mode of results: L, LA, RGB or RGBA."""
        return ("L" if self.gray else "RGB") + ("" if self.alpha is None else "A")

    def rebuild_rows(self, rgb: NDArray[np.uint8], top: int, size: tuple[int, int]) -> Image.Image:
        """Some rows of the result, as `rebuild` returns them of the whole, without info.

        Args:
            rgb: uint8 [n, W, 3], the rows.
            top: the number of rows above them.
            size: the width and height of the whole result.

        Raises:
            TypeError: `rgb` is no such array.
        """
        image = Image.fromarray(rgb)
        if self.gray:
            image = image.convert("L")
        if self.alpha is not None:
            height, width = self.alpha.shape
            box = (0, top * height / size[1], width, (top + len(rgb)) * height / size[1])
            alpha = Image.fromarray(self.alpha)
            image.putalpha(alpha.resize(image.size, Image.Resampling.BICUBIC, box=box))
        return image

    def info_for(self, mode: str) -> dict[str, Any]:
        """The info of a result of this mode: a profile that does not fit is left out with a PictureWarning.

        Args:
            mode: L, LA, RGB or RGBA.

        Raises:
            PictureWarning: where warnings are errors.
        """
        notes = Notes(self.name)
        profile = fitting_profile(self.info.get("icc_profile"), mode, notes)
        info = {key: value for key, value in self.info.items() if key != "icc_profile"}
        warn(notes.all(), stacklevel=4)
        return info if profile is None else {**info, "icc_profile": profile}
