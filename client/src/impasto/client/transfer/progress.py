"""How far a transfer is, with the picture so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray
from PIL import Image

from impasto.client._jobs import Progress
from impasto.client._values import clock
from impasto.client.transfer.canvas import Canvas


@dataclass(frozen=True, kw_only=True)
class Losses:
    """The parts of the loss, each times its weight, as the last step saw them before it changed the picture."""

    style: float
    content: float
    total_variation: float


@dataclass(frozen=True, kw_only=True, eq=False)
class TransferProgress(Progress):
    """How far a transfer is.

    Attributes:
        done: optimisation steps done, at all sizes.
        total: optimisation steps in all.
        level: which size of the pyramid, counted from 1.
        levels: how many sizes there are.
        size: width and height at this level, in pixels.
        epoch: the epoch that is going on, or the last one where all are over, counted from 1; 0 if there are none.
        epochs: how many there are at each size.
        step: steps done at this size.
        steps: steps at each size.
        losses: as the last step saw them; None before the first.
        seconds_left: an estimate; None before the first step.
        fraction: of the work that is done, 0 to 1. Steps at large sizes are more work than at small ones.
    """

    level: int
    levels: int
    size: tuple[int, int]
    epoch: int
    epochs: int
    step: int
    steps: int
    losses: Losses | None = field(repr=False)
    seconds_left: float | None
    fraction: float
    _canvas: Canvas = field(repr=False)
    _pixels: NDArray[Any] | None = field(repr=False)

    @property
    def style_loss(self) -> float | None:
        """Times its weight; None before the first step."""
        return None if self.losses is None else self.losses.style

    @property
    def content_loss(self) -> float | None:
        """Times its weight; None before the first step."""
        return None if self.losses is None else self.losses.content

    @property
    def total_variation_loss(self) -> float | None:
        """Times its weight; None before the first step."""
        return None if self.losses is None else self.losses.total_variation

    def __str__(self) -> str:
        width, height = self.size
        parts = [f"{width} x {height}"] if self.levels > 1 else []
        parts += [f"epoch {self.epoch}/{self.epochs}", f"step {self.step}/{self.steps}"]
        if self.losses is not None:
            parts += [f"style loss {self.losses.style:.4g}", f"content loss {self.losses.content:.4g}"]
        parts += [] if self.seconds_left is None else [f"{clock(self.seconds_left)} left"]
        return "  ".join(parts)

    def preview(self) -> Image.Image:
        """The picture so far, of the result's size and mode; of the last progress, the result. Made when called."""
        return self._canvas.image(self._pixels)


def epoch_of(step: int, *, epochs: int, steps_per_epoch: int) -> int:
    """The epoch that is going on when `step` steps are done, counted from 1; the last one when all are over."""
    return min(epochs, 1 + step // steps_per_epoch) if steps_per_epoch else epochs
