"""A transfer whose result is the average of the pictures on the way, as the recipe "fine" paints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client._answers import output
from impasto.client._jobs import Arrays, Size, Steps
from impasto.client._models.transfer.painting import Array, Painting
from impasto.client._models.transfer.progress import TransferProgress

_AVERAGE: Final = "average"
_MOMENTS: Final = ("m", "v")
# What goes from one size to the next is one array: the average's colours, and those of either moment.
_COLOURS: Final = 3
_MOST_DECAY: Final = 0.99
_REMEMBERED: Final = 1 / 8
"""The part of a size's steps that the average remembers."""

_CARRIED: Final = 9


class AveragedPainting(Painting):
    """A painting whose state has the average of its pictures, too.

    Each size begins with the average of the one before. Adam goes on there: its moments are resized along, and its
    steps are counted over all sizes.
    """

    IMAGE: ClassVar = _AVERAGE

    def open(self, stage: int, picture: NDArray[Any] | None) -> Steps[Arrays]:
        """Return the state at a size: what to begin with, the moments so far, and the targets."""
        carried = None if picture is None else np.split(picture, _CARRIED // _COLOURS, axis=2)
        state = yield from super().open(stage, None if carried is None else carried[0])
        moments: Mapping[str, Array] = {}
        if carried is not None:
            moments = {
                name: resized_moment(moment, self.sizes[stage])
                for name, moment in zip(_MOMENTS, carried[1:], strict=True)
            }
        return {**state, **moments, _AVERAGE: state["image"]}

    def change(self, state: Arrays, stage: int, step: int, count: int) -> Steps[Arrays]:
        """Return the state after `count` more steps of Adam."""
        size = self.sizes[stage]
        inputs = {
            **self.step_inputs(state, stage, sum(self.steps[:stage]) + step, count),
            _AVERAGE: state[_AVERAGE].ravel(),
            "averaged": np.asarray(step, np.int32),
            "average_decay": np.asarray(average_decay(self.steps[stage]), np.float32),
        }
        answer = yield from self.optimised(inputs, _AVERAGE)
        height, width = size
        shape = (height * width * _COLOURS,)
        flat = output(answer, _AVERAGE, dtype=np.float32, shape=shape, model=self.model_name)
        return {**self.changed(state, answer, stage), _AVERAGE: flat.reshape(*size, _COLOURS)}

    def close(self, state: Arrays, stage: int) -> Steps[NDArray[Any]]:
        """Return the average at a size, with the moments where another size follows; of the last one, as bytes."""
        if stage + 1 < len(self.sizes):
            return np.concatenate([state[name] for name in (_AVERAGE, *_MOMENTS)], axis=2)
        return (yield from super().close({"image": state[_AVERAGE]}, stage))

    def image(self, pixels: NDArray[Any] | None) -> Image.Image:
        """Return what the canvas makes of it."""
        return super().image(_colours(pixels))

    def progress(
        self, stage: int, common: Mapping[str, Any], pixels: NDArray[Any] | None
    ) -> TransferProgress:
        """Return the progress at a size."""
        return super().progress(stage, common, _colours(pixels))

    def state_shapes(self, stage: int) -> Mapping[str, tuple[int | None, ...]]:
        """Return the shapes: those without an average, and its own."""
        return {**super().state_shapes(stage), _AVERAGE: (*self.sizes[stage], _COLOURS)}

    def picture_form(self, stage: int) -> tuple[type[np.generic], tuple[int, ...]]:
        """Return the form of what a size begins with; beyond the last, of the result."""
        dtype, shape = super().picture_form(stage)
        return (dtype, shape) if stage == len(self.sizes) else (dtype, (*shape[:2], _CARRIED))


def average_decay(steps: int) -> float:
    """Return the decay of the average at a size of so many steps, by which its last eighth weighs the most.

    The usual 0.99 is that of 800 steps. In a shorter run it keeps pictures of the beginning, which are far from done.
    """
    return min(_MOST_DECAY, max(0.0, 1 - 1 / (_REMEMBERED * steps)))


def resized_moment(moment: Array, size: Size) -> Array:
    """Return a moment of Adam [h, w, 3] at another size: bilinear, so that no mean of squares becomes negative."""
    height, width = size
    colours = [
        Image.fromarray(np.ascontiguousarray(moment[..., colour])).resize(
            (width, height), Image.Resampling.BILINEAR
        )
        for colour in range(_COLOURS)
    ]
    return np.stack([np.asarray(colour, np.float32) for colour in colours], axis=2)


def _colours(pixels: NDArray[Any] | None) -> NDArray[Any] | None:
    return None if pixels is None else pixels[..., :_COLOURS]
