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
        image = Image.fromarray(rgb)
        if self.gray:
            image = image.convert("L")
        if self.alpha is not None:
            image.putalpha(Image.fromarray(self.alpha).resize(image.size, Image.Resampling.BICUBIC))
        notes = Notes(self.name)
        profile = fitting_profile(self.info.get("icc_profile"), image.mode, notes)
        image.info.update({key: value for key, value in self.info.items() if key != "icc_profile"})
        if profile is not None:
            image.info["icc_profile"] = profile
        warn(notes.all())
        return image
