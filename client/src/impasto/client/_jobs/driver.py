"""Carry out the steps of jobs with blocking calls."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any, NamedTuple, ParamSpec, TypeAlias, TypeVar, cast

from impasto.client._jobs.checkpoint import CheckpointFile
from impasto.client._jobs.job import Job, Verb
from impasto.client._jobs.long import LongJob
from impasto.client._jobs.pinning import Knowledge
from impasto.client._jobs.steps import ENDED, Learning, Pause, Progress, Snapshot, Steps, Together
from impasto.client._jobs.strands import Strands
from impasto.client._transport.calls import Call, Stop
from impasto.client._transport.observing import Span
from impasto.client._transport.patience import Patience, PatienceWanted
from impasto.client.errors import CallError, InvalidInput
from impasto.client.settings import Settings

FieldsP = ParamSpec("FieldsP")
ResultT = TypeVar("ResultT")
ProgressT = TypeVar("ProgressT")

OnProgress: TypeAlias = Callable[[ProgressT], None]
Checkpoint: TypeAlias = str | os.PathLike[str]


def runs(job: Callable[FieldsP, Job[ResultT, Any]]) -> Verb[FieldsP, ResultT]:
    """Return the method of a client that runs this kind of job: it takes the job's own fields."""

    def method(client: Any, /, *args: FieldsP.args, **fields: FieldsP.kwargs) -> ResultT:
        return cast(ResultT, client.run(job(*args, **fields)))

    return Verb(job, method)


def prepare(
    job: Job[ResultT, Any],
    *,
    settings: Settings,
    every: int | None,
    checkpoint: Checkpoint | None,
    timeout: float | None,
) -> tuple[Steps[ResultT], CheckpointFile | None]:
    """Read what a job needs, and return its steps and its checkpoint's file.

    Raises:
        InvalidInput: `every` or `checkpoint` is for long jobs, and this is none.
        CheckpointError: the checkpoint is damaged, or of another job.
        ImageError: a picture cannot be used.
        OSError: a file cannot be opened.
        TypeError: it is no job.
    """
    _check_job(job)
    if isinstance(job, LongJob):
        file = None if checkpoint is None else CheckpointFile(checkpoint)
        resume = None if file is None else file.read()
        seconds = settings.timeouts.for_(job.kind) if timeout is None else timeout
        steps = job.prepare(max_pixels=settings.max_pixels, every=every, resume=resume, timeout=seconds)
        return cast(Steps[ResultT], steps), file
    for name, value in (("every", every), ("checkpoint", checkpoint)):
        if value is not None:
            raise InvalidInput(
                f"{name} is {str(value)!r}, but a job of {type(job).__name__} is done in a few calls; leave it out"
            )
    return job.prepare(max_pixels=settings.max_pixels), None


def _check_job(job: object) -> None:
    if not isinstance(job, Job):
        raise TypeError(
            f"job is a {type(job).__name__}; it must be a job, such as Upscale(...), or in a map a coroutine function"
        )


class JobContext(NamedTuple):
    """The things that a client gives to each of its jobs.

    Attributes:
        knowledge: what the client's jobs have learnt.
        begin: begins the span of the job.
    """

    knowledge: Knowledge
    begin: Callable[[], Span]


def new_context() -> JobContext:
    """Return the context of a client whose jobs have learnt nothing."""
    return JobContext(Knowledge(), Span)


def drive(
    steps: Steps[ResultT],
    send: Callable[[Call[Any]], Any],
    patience: Patience,
    checkpoint: CheckpointFile | None = None,
    *,
    context: JobContext | None = None,
    at_once: int = 1,
    pause: Callable[[float], None] = time.sleep,
) -> Generator[Any, None, ResultT]:
    """Carry out the steps of a job; yields its progress and returns its result.

    Args:
        steps: closed at the end, also when this generator is closed before.
        send: sends a call and returns the parsed answer, or raises CallError. It is called in several threads where
            several calls are under way.
        patience: the job's, which learns of each answer.
        checkpoint: gets the snapshots, and whatever ends the job early, the last one.
        context: the client's; that of a client which has learnt nothing, if None.
        at_once: the number of calls that may be under way at once.
        pause: waits so many seconds.
    """
    answer: Any = None
    failure: CallError | None = None
    strands: Strands | None = None
    given = context or new_context()
    with given.begin() as span:

        def send_in_span(call: Call[Any]) -> Any:
            with span.current():
                return send(call)

        def carry_out(strand: Steps[Any], stop: Stop) -> Any:
            def send_until(call: Call[Any]) -> Any:
                return send_in_span(replace(call, stop=stop))

            return finish(drive(strand, send_until, patience, pause=stop.sleep))

        def learn(step: Learning[Any]) -> Any:
            learnt = given.knowledge
            with learnt.lock(step.model):
                return finish(
                    drive(step.steps(learnt.about(step.model)), send_in_span, patience, pause=pause)
                )

        try:
            while True:
                try:
                    step = steps.send(answer) if failure is None else steps.throw(failure)
                except StopIteration as end:
                    return cast(ResultT, end.value)
                answer = failure = None
                if isinstance(step, Progress):
                    yield step
                elif isinstance(step, Snapshot):
                    if checkpoint is not None:
                        checkpoint.offer(step)
                elif isinstance(step, Pause):
                    pause(step.seconds)
                elif isinstance(step, PatienceWanted):
                    answer = patience
                elif isinstance(step, Together):
                    if strands is None or strands.together is not step:
                        strands = Strands(step, carry_out, at_once=at_once)
                    try:
                        answer = strands.next()
                    except CallError as error:
                        failure = error
                    if failure is not None or answer is ENDED:
                        strands.close()
                        strands = None
                elif isinstance(step, Learning):
                    try:
                        answer = learn(step)
                    except CallError as error:
                        failure = error
                else:
                    try:
                        answer = send_in_span(step)
                    except CallError as error:
                        failure = error
                    else:
                        patience.met = True
        finally:
            if strands is not None:
                strands.close()
            steps.close()
            if checkpoint is not None:
                checkpoint.flush()


def finish(
    driven: Generator[ProgressT, None, ResultT], on_progress: OnProgress[ProgressT] | None = None
) -> ResultT:
    """Run a driven job to its end; whatever happens, it is closed."""
    try:
        while True:
            progress = next(driven)
            if on_progress is not None:
                on_progress(progress)
    except StopIteration as end:
        return cast(ResultT, end.value)
    finally:
        driven.close()
