"""The progress of a transfer, and the pictures of it for people."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client._jobs import LongProgress, Size
from impasto.client._models.transfer.materials import Materials, resized
from impasto.client.pictures import keep_colours


class TransferCanvas(NamedTuple):
    """Makes the result, and the picture so far.

    Attributes:
        materials: the pictures.
        size: height and width of the result.
        preserve_color: whether to keep the content's colours.
    """

    materials: Materials
    size: Size
    preserve_color: bool

    def image(self, pixels: NDArray[Any] | None) -> Image.Image:
        """Return an image like the content, with its transparency; of gray it is only where its colours are kept.

        Args:
            pixels: uint8 [h, w, 3], or a state's image float32 [h, w, 3] in 0..1, of any size; None for the content.
        """
        picture, mask = self.materials.content, self.materials.mask
        original = resized(picture.rgb, self.size)
        if pixels is None:
            return picture.rebuild(original)
        painted = resized(_to_bytes(pixels), self.size)
        if self.preserve_color:
            painted = keep_colours(original, painted)
        if mask is not None:
            painted = _blended(original, painted, resized(mask, self.size))
        return replace(picture, gray=picture.gray and self.preserve_color).rebuild(painted)


def _to_bytes(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Cut off the fractions as the model's own `close` does, without rounding."""
    if pixels.dtype == np.uint8:
        return pixels
    # Where a model's numbers ran away, no pixel can tell them.
    with np.errstate(invalid="ignore", over="ignore"):
        return np.clip(np.float32(255.0) * pixels, 0, 255).astype(np.uint8)


def _blended(
    below: NDArray[np.uint8], above: NDArray[np.uint8], mask: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """`above` where the mask is white, `below` where it is black."""
    share = mask[..., np.newaxis].astype(np.float32) / 255.0
    return np.rint(below + share * (above.astype(np.float32) - below)).astype(np.uint8)


@dataclass(frozen=True, kw_only=True)
class Losses:
    """The parts of the loss, each times its weight, as the last step saw them before it changed the picture."""

    style: float
    content: float
    total_variation: float


@dataclass(frozen=True, kw_only=True, eq=False)
class TransferProgress(LongProgress):
    """The progress of a transfer.

    Attributes:
        done: optimisation steps done, at all sizes.
        total: optimisation steps in all.
        level: the size of the pyramid that is in work, counted from 1.
        levels: the number of sizes.
        size: width and height at this level, in pixels.
        epoch: the epoch that is going on, or the last one where all are over, counted from 1; 0 if there are none.
        epochs: the number of epochs at this size.
        step: steps done at this size.
        steps: steps at this size.
        losses: as the last step saw them; None before the first.
        seconds_left: an estimate; None before the first step.
        fraction: the part of the work that is done, 0 to 1. Steps at large sizes are more work than at small ones.
        next_fraction: the part that will be done at the next progress.
        next_seconds: an estimate of when that will be; None before the first step, and at the end.
    """

    level: int
    levels: int
    size: tuple[int, int]
    epoch: int
    epochs: int
    losses: Losses | None = field(repr=False)
    _canvas: TransferCanvas = field(repr=False)
    _pixels: NDArray[Any] | None = field(repr=False)

    def _picture(self) -> Image.Image:
        return self._canvas.image(self._pixels)

    @property
    def style_loss(self) -> float | None:
        """The loss times its weight; None before the first step."""
        return None if self.losses is None else self.losses.style

    @property
    def content_loss(self) -> float | None:
        """The loss times its weight; None before the first step."""
        return None if self.losses is None else self.losses.content

    @property
    def total_variation_loss(self) -> float | None:
        """The loss times its weight; None before the first step."""
        return None if self.losses is None else self.losses.total_variation

    def __str__(self) -> str:
        width, height = self.size
        size = (f"{width} x {height}",) if self.levels > 1 else ()
        losses: tuple[str, ...] = ()
        if self.losses is not None:
            losses = (f"style loss {self.losses.style:.4g}", f"content loss {self.losses.content:.4g}")
        return self.words(
            *size, f"epoch {self.epoch}/{self.epochs}", f"step {self.step}/{self.steps}", *losses
        )


def epoch_of(step: int, *, epochs: int, steps_per_epoch: int) -> int:
    """Return the epoch that is going on when `step` steps are done, counted from 1; the last one when all are over."""
    return min(epochs, 1 + step // steps_per_epoch) if steps_per_epoch else epochs
