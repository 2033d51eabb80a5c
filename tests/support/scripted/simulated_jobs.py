"""Long jobs against a server that is simulated, and so is the clock: nothing is computed, and nobody waits."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client import LongProgress, Progress
from impasto.client._jobs import Arrays, Optimisation, Steps
from impasto.client._jobs.long import _steps
from impasto.client._jobs.pace import Pace
from impasto.client._jobs.steps import Snapshot

Cost = Callable[[int, int, int], float]
"""The seconds of a call: from the pixels, the steps, and the number of calls with steps before it."""


class Clock:
    """A clock that only moves when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Asked:
    """A call of the simulated server."""

    steps: int
    pixels: int


@dataclass(frozen=True, kw_only=True, eq=False)
class SimulatedProgress(LongProgress):
    pixels: NDArray[Any] | None

    def _picture(self) -> Image.Image:
        return Image.new("L", (1, 1))


class Simulated(Optimisation[SimulatedProgress]):
    """An optimisation whose state depends on each step's number, and on nothing else."""

    IMAGE: ClassVar = "image"

    def __init__(self, sizes: Sequence[tuple[int, int]], steps: int, most_steps: int = 10**6) -> None:
        self.sizes = tuple(sizes)
        self.steps = (steps,) * len(self.sizes)
        self.most_steps = most_steps
        self.identity = {"kind": "simulated", "version": 1}

    def remedy(self, share: float) -> str:
        return f"make the picture smaller: {share}"

    def open(self, stage: int, picture: NDArray[Any] | None) -> Steps[Arrays]:
        yield cast(Any, Asked(0, math.prod(self.sizes[stage])))
        start = np.zeros((), np.float32) if picture is None else picture
        return {"image": np.broadcast_to(start.ravel()[0], (*self.sizes[stage], 3)).astype(np.float32)}

    def change(self, state: Arrays, stage: int, step: int, count: int) -> Steps[Arrays]:
        yield cast(Any, Asked(count, math.prod(self.sizes[stage])))
        image = state["image"]
        for number in range(step, step + count):
            image = np.float32(0.7) * image + np.float32(number)
        return {"image": image}

    def close(self, state: Arrays, stage: int) -> Steps[NDArray[Any]]:
        yield cast(Any, Asked(0, math.prod(self.sizes[stage])))
        return state["image"]

    def image(self, pixels: NDArray[Any] | None) -> Image.Image:
        assert pixels is not None
        return Image.fromarray(pixels[..., 0])

    def progress(
        self, stage: int, common: Mapping[str, Any], pixels: NDArray[Any] | None
    ) -> SimulatedProgress:
        return SimulatedProgress(**common, pixels=pixels)

    def state_shapes(self, stage: int) -> Mapping[str, tuple[int | None, ...]]:
        return {"image": (*self.sizes[stage], 3)}

    def picture_form(self, stage: int) -> tuple[type[np.generic], tuple[int, ...]]:
        return np.float32, (*self.sizes[stage - 1], 3)


class OpensAtOnce(Simulated):
    """A job that opens a size at once, as a dream does."""

    OPENS_AT_ONCE: ClassVar = True


@dataclass
class Run:
    """The record of a simulated job.

    Attributes:
        chunks: the steps of each chunk.
        seconds: how long each took.
        probes: the number of chunks without steps.
        total: the seconds of all chunks, with and without steps.
        progresses: with the time of each.
        snapshots: all that were kept.
        result: the picture.
    """

    chunks: list[int]
    seconds: list[float]
    probes: int
    total: float
    progresses: list[tuple[float, SimulatedProgress]]
    snapshots: list[Snapshot]
    result: Image.Image | None = None


def run(
    work: Simulated,
    cost: Cost,
    *,
    every: int | None = None,
    resume: Snapshot | None = None,
    first: float = 0.0,
    timeout: float | None = None,
    look: Callable[[SimulatedProgress], object] = lambda progress: None,
) -> Run:
    """Carry out a job against a server that takes `first` more seconds for the first chunk at each size."""

    def planned() -> Steps[Optimisation[Any]]:
        yield from ()
        return work

    clock, done = Clock(), Run([], [], 0, 0.0, [], [])
    steps: Any = _steps(planned(), Pace(clock=clock, timeout=timeout), every, resume)
    seen: set[int] = set()
    opening = resume is None or not resume.position["step"]
    try:
        while True:
            step = next(steps)
            if isinstance(step, Snapshot):
                done.snapshots.append(step)
                opening = "image" not in step.arrays
            elif isinstance(step, Progress):
                done.progresses.append((clock.now, cast(SimulatedProgress, step)))
                look(cast(SimulatedProgress, step))
            else:
                taken = cost(step.pixels, step.steps, len(done.chunks))
                if step.steps:
                    taken += 0 if step.pixels in seen else first
                    seen.add(step.pixels)
                    done.chunks.append(step.steps)
                    done.seconds.append(taken)
                    done.total += taken
                elif not opening and done.snapshots[-1].position["step"] < work.steps[0]:
                    done.probes += 1
                    done.total += taken
                clock.now += taken
    except StopIteration as end:
        done.result = end.value
    return done


def costing(fixed: float, step: float) -> Cost:
    return lambda pixels, steps, calls: fixed + step * steps
