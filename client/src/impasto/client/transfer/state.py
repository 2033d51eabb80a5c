"""Where a transfer is, and how it is kept in a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impasto.client._jobs import Snapshot
from impasto.client.checkpoint import check_same_job
from impasto.client.errors import CheckpointError
from impasto.client.transfer.plan import Plan

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Painting:
    """What `optimize` takes and gives at one size, all float32.

    Attributes:
        image: the picture [H, W, 3] in 0..1.
        m: Adam's mean of the gradient, as `image`.
        v: Adam's mean of its square, as `image`.
        style_targets: the Gram matrices, one after the other, of all styles mixed.
        content_targets: the content's activations, one after the other.
    """

    image: Array
    m: Array
    v: Array
    style_targets: Array
    content_targets: Array

    def arrays(self) -> dict[str, Array]:
        """By the names that the inputs of `optimize` have."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, eq=False)
class Position:
    """How far a transfer is.

    Attributes:
        level: the index of the current size.
        step: steps done at it.
        painting: what is in work at this size; None before it is opened, and at the end.
        image: what to go on from at a size that is not opened, float32 [h, w, 3] in 0..1 (None at the first); beyond
            the last size, the result, uint8 [H, W, 3].
    """

    level: int
    step: int
    painting: Painting | None = None
    image: NDArray[Any] | None = None

    @property
    def pixels(self) -> NDArray[Any] | None:
        """The picture so far, if there is one."""
        return self.image if self.painting is None else self.painting.image

    def snapshot(self, identity: Mapping[str, Any]) -> Snapshot:
        """For a checkpoint of the job that `identity` describes."""
        arrays: dict[str, NDArray[Any]] = {}
        if self.painting is not None:
            arrays.update(self.painting.arrays())
        elif self.image is not None:
            arrays["image"] = self.image
        return Snapshot(identity, {"level": self.level, "step": self.step}, arrays)


def restored(resume: Snapshot, identity: Mapping[str, Any], plan: Plan) -> Position:
    """The position in a checkpoint.

    Raises:
        CheckpointError: it is of another job, or makes no sense.
    """
    check_same_job(resume, identity)
    position = _read(resume)
    if position is None or not _fits(position, plan):
        raise CheckpointError("the checkpoint is damaged; delete it to begin anew, or name another")
    return position


def _read(resume: Snapshot) -> Position | None:
    level, step = resume.position.get("level"), resume.position.get("step")
    if not isinstance(level, int) or not isinstance(step, int):
        return None
    names = {field.name for field in fields(Painting)}
    if set(resume.arrays) == names:
        return Position(level, step, painting=Painting(**resume.arrays))
    if resume.arrays.keys() <= {"image"}:
        return Position(level, step, image=resume.arrays.get("image"))
    return None


def _fits(position: Position, plan: Plan) -> bool:
    levels, steps = plan.levels, plan.settings.steps
    if not 0 <= position.level <= len(levels):
        return False
    if position.level == len(levels):
        result = position.pixels
        return result is not None and result.dtype == np.uint8 and result.shape == (*plan.painted_size, 3)
    if position.painting is None:
        start = position.image
        if position.step or (start is None) != (position.level == 0):
            return False
        return start is None or (
            start.dtype == np.float32 and start.shape == (*levels[position.level - 1].size, 3)
        )
    painting = position.painting
    picture = (*levels[position.level].size, 3)
    return (
        0 <= position.step <= steps
        and all(array.dtype == np.float32 for array in painting.arrays().values())
        and painting.image.shape == painting.m.shape == painting.v.shape == picture
        and painting.style_targets.ndim == painting.content_targets.ndim == 1
    )
