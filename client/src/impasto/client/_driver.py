"""Run jobs with blocking calls."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from typing import Any, TypeAlias, TypeVar, cast

from impasto.client._calls import Call
from impasto.client._jobs import Job, Pause, Progress, Snapshot
from impasto.client.checkpoint import CheckpointFile
from impasto.client.errors import CallError

ResultT = TypeVar("ResultT")
ProgressT = TypeVar("ProgressT", bound=Progress)
OnProgress: TypeAlias = Callable[[ProgressT], None]


def drive(
    job: Job[ResultT], send: Callable[[Call[Any]], Any], *, checkpoint: CheckpointFile | None = None
) -> Generator[Progress, None, ResultT]:
    """Do what a job asks for; yields its progress and returns its result.

    Args:
        job: it is closed at the end, also when this generator is closed before.
        send: sends a call and returns the parsed answer, or raises CallError.
        checkpoint: keeps the job's snapshots. Whatever ends the job early, the last one is written.
    """
    answer: Any = None
    failure: CallError | None = None
    try:
        while True:
            try:
                step = job.send(answer) if failure is None else job.throw(failure)
            except StopIteration as end:
                return cast(ResultT, end.value)
            answer = failure = None
            if isinstance(step, Progress):
                yield step
            elif isinstance(step, Snapshot):
                if checkpoint is not None:
                    checkpoint.offer(step)
            elif isinstance(step, Pause):
                time.sleep(step.seconds)
            else:
                try:
                    answer = send(step)
                except CallError as error:
                    failure = error
    finally:
        job.close()
        if checkpoint is not None:
            checkpoint.flush()


def finish(steps: Generator[ProgressT, None, ResultT], on_progress: OnProgress[ProgressT] | None) -> ResultT:
    """Run a driven job to its end; whatever happens, it is closed."""
    try:
        while True:
            progress = next(steps)
            if on_progress is not None:
                on_progress(progress)
    except StopIteration as end:
        return cast(ResultT, end.value)
    finally:
        steps.close()


class Runner(ABC):
    """Runs jobs; the methods of a client, a file for each kind of model, build on it."""

    @abstractmethod
    def _drive(
        self, job: Job[ResultT], timeout: float | None, checkpoint: CheckpointFile | None = None
    ) -> Generator[Progress, None, ResultT]:
        """The job, driven; `timeout` is for each call, in seconds, and None is the client's."""

    def _run(
        self, job: Job[ResultT], timeout: float | None, on_progress: OnProgress[Progress] | None = None
    ) -> ResultT:
        return finish(self._drive(job, timeout), on_progress)
