"""The skeleton of long jobs: an optimisation of so many steps at each of several sizes, in calls of 1 to 10 seconds.

It keeps a snapshot, shows the progress, makes the next call, and so on, so that the job can be watched, stopped at any
time and gone on with from a checkpoint: what is lost is the call that was under way. Cut into calls it equals one long
call of the model's `serving_default` bit for bit, for all state travels. That holds among servers of one kind, on a GPU
with TF_DETERMINISTIC_OPS=1: another processor, number of threads or version of TensorFlow rounds differently.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Final, Generic, NamedTuple, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client._jobs.checkpoint import check_same_job
from impasto.client._jobs.job import Job
from impasto.client._jobs.memory import too_large
from impasto.client._jobs.optimisation import Arrays, LongProgress, Optimisation
from impasto.client._jobs.pace import Pace
from impasto.client._jobs.pinning import PinnedModel, begun_by
from impasto.client._jobs.steps import Snapshot, Steps
from impasto.client._jobs.values import MOST_STEPS, whole
from impasto.client.errors import CheckpointError, OutOfMemory
from impasto.client.model import Model

ProgressT_co = TypeVar("ProgressT_co", bound=LongProgress, covariant=True)

_PICTURE: Final = "picture"


class Position(NamedTuple):
    """The point that a long job has reached.

    Attributes:
        stage: the index of the current size.
        step: steps done at it.
        state: what the steps change; None before the size is opened, and at the end.
        picture: what to open the size with, None for what the job begins with; beyond the last size, the result.
    """

    stage: int = 0
    step: int = 0
    state: Arrays | None = None
    picture: NDArray[Any] | None = None


Begin: TypeAlias = Callable[[PinnedModel], Steps[Optimisation[ProgressT_co]]]
"""Asks the model what it needs to know, and completes what the person asked for."""


class LongJob(Job[Image.Image, ProgressT_co]):
    """A job of many steps: it can be watched, stopped, and gone on with from a checkpoint."""

    @abstractmethod
    def begin(self, *, max_pixels: int) -> Begin[ProgressT_co]:
        """Read the pictures now, and return what plans the work."""

    def prepare(
        self,
        *,
        max_pixels: int,
        every: int | None = None,
        resume: Snapshot | None = None,
        timeout: float | None = None,
    ) -> Steps[Image.Image]:
        """Read the pictures, and return the steps that make the result.

        They yield a progress at the start, after each call that takes steps, and with the result.

        Args:
            max_pixels: the largest width times height of a picture that is read.
            every: end a call at each multiple of this many steps, counted over all sizes.
            resume: where an earlier run of the same job was.
            timeout: seconds after which a call is given up; None for never.

        Raises:
            InvalidInput: `every` is out of its range.
            CheckpointError: `resume` is of another job.
        """
        if every is not None:
            every = whole("every", every, 1, MOST_STEPS)
        model = Model.of(self.model)
        version = 0 if resume is None else begun_by(resume, model, kind=self.kind)
        pace = Pace(timeout=timeout)
        pinned = PinnedModel(model, begun_by=version, on_failure=pace.disturb, waits_for_memory=True)
        return _steps(self.begin(max_pixels=max_pixels)(pinned), pace, every, resume)


def _steps(
    planning: Steps[Optimisation[Any]], pace: Pace, every: int | None, resume: Snapshot | None
) -> Steps[Image.Image]:
    work = yield from planning
    position = Position() if resume is None else _restored(resume, work)
    run = _Run(work, pace, every)
    shows = True
    while True:
        # First, so that whoever stops at a progress loses none of it.
        yield run.snapshot(position)
        if shows:
            yield run.progress(position)
        if position.stage == len(work.sizes):
            return work.image(position.picture)
        before = position
        position = yield from run.advance(before)
        shows = position.step > before.step or position.stage == len(work.sizes)


class _Run(Generic[ProgressT_co]):
    """One run of an optimisation, and what is measured of it."""

    def __init__(self, work: Optimisation[ProgressT_co], pace: Pace, every: int | None) -> None:
        self._work = work
        self._pace = pace
        self._every = every
        self._areas = [height * width for height, width in work.sizes]
        self._planned: tuple[int, int, int] | None = None
        self._watched = False

    def snapshot(self, position: Position) -> Snapshot:
        """Return what a checkpoint keeps of a position."""
        between = {} if position.picture is None else {_PICTURE: position.picture}
        arrays = between if position.state is None else position.state
        return Snapshot(self._work.identity, {"stage": position.stage, "step": position.step}, arrays)

    def progress(self, position: Position) -> ProgressT_co:
        """Return what people see of a position."""
        work, stages = self._work, len(self._areas)
        is_over = position.stage == stages
        left = self._work_left(position)
        total = max(self._work_left(Position()), 1)
        ahead, seconds = self._ahead(position)
        pixels = position.picture if position.state is None else position.state[work.IMAGE]
        steps = work.steps[min(position.stage, stages - 1)]
        common = {
            "done": self._done(position),
            "total": sum(work.steps),
            "version": work.identity["version"],
            "step": steps if is_over else position.step,
            "steps": steps,
            "seconds_left": 0.0 if is_over else self._pace.seconds_left(left),
            "fraction": 1.0 - left / total,
            "next_fraction": 1.0 - (left - ahead) / total,
            "next_seconds": seconds,
            "_on_preview": self._watch,
        }
        return work.progress(min(position.stage, stages - 1), common, pixels)

    def advance(self, position: Position) -> Steps[Position]:
        """Return the position after one more call, or the few that open a size.

        Raises:
            OutOfMemory: the server does not have the memory for the size; says which one fits.
        """
        try:
            return (yield from self._advance(position))
        except OutOfMemory as error:
            work, stage = self._work, position.stage
            raise too_large(error, work.sizes[stage], work.remedy, done=work.sizes[:stage]) from error

    def _advance(self, position: Position) -> Steps[Position]:
        work, stage, state = self._work, position.stage, position.state
        if state is None:
            self._pace.start()
            opened = yield from work.open(stage, position.picture)
            if work.OPENS_AT_ONCE:
                self._pace.opened(self._areas[stage])
            return position._replace(state=opened, picture=None)
        if position.step == work.steps[stage]:
            return Position(stage + 1, picture=(yield from work.close(state, stage)))
        count = self._count(position)
        if self._pace.should_probe(self._areas[stage], most=self._most_steps(position)):
            self._pace.start()
            yield from work.change(state, stage, position.step, 0)
            self._pace.probed(self._areas[stage])
            # What was told of the next progress still holds, at least.
            count = max(count, self._pace.steps(self._areas[stage], most=self._most_steps(position)))
        self._pace.start()
        state = yield from work.change(state, stage, position.step, count)
        self._pace.stop(self._areas[stage], count)
        return position._replace(step=position.step + count, state=state)

    def _watch(self) -> None:
        """Know that somebody looks at a picture on the way. With `every` no others are wanted."""
        self._watched = self._every is None

    def _work_left(self, position: Position) -> int:
        """Return what is left to do: steps times pixels."""
        areas, steps = self._areas[position.stage :], self._work.steps[position.stage :]
        left = sum(pixels * count for pixels, count in zip(areas, steps, strict=True))
        return left - position.step * areas[0] if areas else 0

    def _done(self, position: Position) -> int:
        """Return the steps done, at all sizes."""
        return sum(self._work.steps[: position.stage]) + position.step

    def _ahead(self, position: Position) -> tuple[int, float | None]:
        """Return the work that the next progress will have done more, and in how many seconds; None if unknown."""
        others, steps = 0 if position.state is not None else 1, self._work.steps
        if (
            position.stage < len(steps) and position.step == steps[position.stage]
        ):  # after the steps at a size come two calls without steps
            others, position = 2, Position(position.stage + 1)
        if position.stage >= len(self._areas) or not steps[position.stage]:
            return 0, None
        pixels, count = self._areas[position.stage], self._count(position)
        return count * pixels, self._pace.seconds(pixels, count, others=others)

    def _count(self, position: Position) -> int:
        """Return the steps of the next call, which do not change once they are told."""
        stage, step = position.stage, position.step
        if self._planned is None or self._planned[:2] != (stage, step):
            most = self._most_steps(position)
            count = self._pace.steps(self._areas[stage], most=most, watched=self._watched)
            self._planned = (stage, step, count)
        return self._planned[2]

    def _most_steps(self, position: Position) -> int:
        most = min(self._work.steps[position.stage] - position.step, self._work.most_steps)
        if self._every is None:
            return most
        return min(most, self._every - self._done(position) % self._every)


def _restored(resume: Snapshot, work: Optimisation[Any]) -> Position:
    """The position in a checkpoint. Raises CheckpointError: it is of another job, or makes no sense."""
    check_same_job(resume, work.identity)
    stage, step = resume.position.get("stage"), resume.position.get("step")
    if isinstance(stage, int) and isinstance(step, int) and 0 <= stage <= len(work.sizes):
        between = resume.arrays.get(_PICTURE)
        if _is_between(resume.arrays, work, stage) and step == 0:
            return Position(stage, picture=between)
        if (
            stage < len(work.sizes)
            and 0 <= step <= work.steps[stage]
            and _is_state(resume.arrays, work, stage)
        ):
            return Position(stage, step, resume.arrays)
    raise CheckpointError("the checkpoint is damaged; delete it to begin anew, or name another")


def _is_between(arrays: Arrays, work: Optimisation[Any], stage: int) -> bool:
    if stage == 0:
        return not arrays
    dtype, shape = work.picture_form(stage)
    found = arrays.get(_PICTURE)
    return len(arrays) == 1 and found is not None and found.dtype == dtype and found.shape == shape


def _is_state(arrays: Arrays, work: Optimisation[Any], stage: int) -> bool:
    shapes = work.state_shapes(stage)
    return arrays.keys() == shapes.keys() and all(
        arrays[name].dtype == np.float32 and _fits(arrays[name].shape, shape)
        for name, shape in shapes.items()
    )


def _fits(found: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    return len(found) == len(wanted) and all(w in (None, f) for f, w in zip(found, wanted, strict=True))
