"""Run jobs with blocking calls."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from typing import Any, TypeAlias, TypeVar, cast

from impasto.client._jobs import Pause, Progress, Snapshot
from impasto.client._prepared import Prepare, Prepared
from impasto.client._transport.calls import Call
from impasto.client._transport.patience import Patience, PatienceWanted
from impasto.client.errors import CallError
from impasto.client.settings import CallKind

ResultT = TypeVar("ResultT")
ProgressT = TypeVar("ProgressT", bound=Progress)
OnProgress: TypeAlias = Callable[[ProgressT], None]


def drive(
    prepared: Prepared[ResultT], send: Callable[[Call[Any]], Any], patience: Patience
) -> Generator[Any, None, ResultT]:
    """Do what a job asks for; yields its progress and returns its result.

    Args:
        prepared: its job is closed at the end, also when this generator is closed before; and whatever ends it early,
            the checkpoint gets its last snapshot.
        send: sends a call and returns the parsed answer, or raises CallError.
        patience: the job's, which learns of each answer.
    """
    job, checkpoint = prepared.job, prepared.checkpoint
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
            elif isinstance(step, PatienceWanted):
                answer = patience
            else:
                try:
                    answer = send(step)
                except CallError as error:
                    failure = error
                else:
                    patience.answered(job)
    finally:
        patience.ended(job)
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
    def _patience(self) -> Patience:
        """The patience of a job that begins now."""

    @abstractmethod
    def _send(self, call: Call[ResultT], kind: CallKind, timeout: float | None) -> ResultT:
        """The answer; `timeout` is in seconds, and None is the client's for this kind of call."""

    def _run(
        self,
        kind: CallKind,
        prepare: Prepare[ResultT],
        timeout: float | None,
        on_progress: OnProgress[Any] | None = None,
    ) -> ResultT:
        return finish(self._watch(kind, prepare, timeout), on_progress)

    def _watch(
        self, kind: CallKind, prepare: Prepare[ResultT], timeout: float | None
    ) -> Generator[Any, None, ResultT]:
        """Reads what the job needs now, and runs it as the generator is iterated over."""
        return drive(prepare(), lambda call: self._send(call, kind, timeout), self._patience())
