"""The progress of a dream, and the pictures on the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client._jobs import LongProgress
from impasto.client.pictures import Picture, keep_colours


@dataclass(frozen=True, kw_only=True, eq=False)
class DreamProgress(LongProgress):
    """The progress of a dream.

    Attributes:
        done: gradient steps done, of all octaves.
        total: gradient steps in all.
        octave: the current one, counted from 1.
        octaves: the number of octaves.
        step: gradient steps done at this octave.
        steps: gradient steps at each octave.
        loss: the loss that the last step saw and raises; None before the first.
        seconds_left: an estimate; None before the first step.
        fraction: the part of the work that is done, 0 to 1. Steps at large octaves are more work than at small ones.
        next_fraction: the part that will be done at the next progress.
        next_seconds: an estimate of when that will be; None before the first step, and at the end.
    """

    octave: int
    octaves: int
    loss: float | None
    _canvas: DreamCanvas = field(repr=False)
    _pixels: NDArray[Any] | None = field(repr=False)

    def _picture(self) -> Image.Image:
        return self._canvas.image(self._pixels)

    def __str__(self) -> str:
        loss = () if self.loss is None else (f"loss {self.loss:.4g}",)
        return self.words(f"octave {self.octave}/{self.octaves}", f"step {self.step}/{self.steps}", *loss)


class DreamCanvas(NamedTuple):
    """Makes pictures for people from a dream's state.

    Attributes:
        picture: the original.
        preserve_color: whether to keep its colours.
    """

    picture: Picture
    preserve_color: bool

    def image(self, pixels: NDArray[Any] | None) -> Image.Image:
        """Return an image like the original: of its size, gray if it was gray, with its transparency.

        Args:
            pixels: uint8 [h, w, 3], or a state float32 [h, w, 3] in -1..1, of any size; None for the original.
        """
        pixels = self.picture.rgb if pixels is None else pixels
        height, width = self.picture.rgb.shape[:2]
        if pixels.dtype != np.uint8:
            # Where a model's numbers ran away, no pixel can tell them.
            with np.errstate(invalid="ignore", over="ignore"):
                pixels = np.clip(255.0 * (pixels + 1.0) / 2.0, 0, 255).astype(np.uint8)
        if pixels.shape[:2] != (height, width):
            sized = Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR)
            pixels = np.asarray(sized)
        if self.preserve_color:
            pixels = keep_colours(self.picture.rgb, pixels)
        return self.picture.rebuild(pixels)
