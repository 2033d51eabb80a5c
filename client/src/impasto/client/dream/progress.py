"""How far a dream is, with the picture so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client._jobs import Progress
from impasto.client._values import clock
from impasto.client.pictures import Picture, keep_colours


@dataclass(frozen=True, kw_only=True, eq=False)
class DreamProgress(Progress):
    """How far a dream is.

    Attributes:
        done: gradient steps done, of all octaves.
        total: gradient steps in all.
        octave: the current one, counted from 1.
        octaves: how many there are.
        step: gradient steps done at this octave.
        steps: gradient steps at each octave.
        loss: what the last step saw and raises; None before the first.
        seconds_left: an estimate; None before the first step.
        fraction: of the work that is done, 0 to 1. Steps at large octaves are more work than at small ones.
    """

    octave: int
    octaves: int
    step: int
    steps: int
    loss: float | None
    seconds_left: float | None
    fraction: float
    _canvas: Canvas = field(repr=False)
    _pixels: NDArray[Any] = field(repr=False)

    def __str__(self) -> str:
        parts = [f"octave {self.octave}/{self.octaves}", f"step {self.step}/{self.steps}"]
        parts += [] if self.loss is None else [f"loss {self.loss:.4g}"]
        parts += [] if self.seconds_left is None else [f"{clock(self.seconds_left)} left"]
        return "  ".join(parts)

    def preview(self) -> Image.Image:
        """The picture so far, at its own size and mode; of the last progress it is the result. Made when called."""
        return self._canvas.image(self._pixels)


@dataclass(frozen=True, kw_only=True, eq=False)
class Canvas:
    """Makes pictures for people of a dream's state.

    Attributes:
        picture: the original.
        preserve_color: whether to keep its colours.
    """

    picture: Picture
    preserve_color: bool

    def image(self, pixels: NDArray[Any]) -> Image.Image:
        """As the original is: of its size, gray if it was gray, with its transparency.

        Args:
            pixels: uint8 [h, w, 3], or a state float32 [h, w, 3] in -1..1, of any size.
        """
        height, width = self.picture.rgb.shape[:2]
        if pixels.dtype != np.uint8:
            pixels = np.clip(255.0 * (pixels + 1.0) / 2.0, 0, 255).astype(np.uint8)
        if pixels.shape[:2] != (height, width):
            sized = Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR)
            pixels = np.asarray(sized)
        if self.preserve_color:
            pixels = keep_colours(self.picture.rgb, pixels)
        return self.picture.rebuild(pixels)
