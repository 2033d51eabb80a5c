"""Carry out the steps of jobs with awaits: the same steps that `driver` carries out with blocking calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import aclosing
from functools import partial
from typing import Any, Generic, ParamSpec, TypeVar, cast

from impasto.client._jobs.checkpoint import CheckpointFile
from impasto.client._jobs.driver import JobContext, OnProgress, new_context
from impasto.client._jobs.job import Job, Verb
from impasto.client._jobs.steps import ENDED, Learning, Pause, Progress, Snapshot, Step, Steps, Together
from impasto.client._jobs.strands import AsyncStrands, Lanes
from impasto.client._transport.asynchronous import in_thread
from impasto.client._transport.calls import Call
from impasto.client._transport.patience import Patience, PatienceWanted
from impasto.client.errors import CallError

FieldsP = ParamSpec("FieldsP")
ResultT = TypeVar("ResultT")


def runs(job: Callable[FieldsP, Job[ResultT, Any]]) -> Verb[FieldsP, Coroutine[Any, Any, ResultT]]:
    """Return the method of an async client that runs this kind of job: it takes the job's own fields."""

    async def method(client: Any, /, *args: FieldsP.args, **fields: FieldsP.kwargs) -> ResultT:
        return cast(ResultT, await client.run(job(*args, **fields)))

    return Verb(job, method)


class Finished(Generic[ResultT]):
    """The last thing that a driven job gives: an async generator returns nothing."""

    def __init__(self, result: ResultT) -> None:
        self.result = result


async def drive(
    steps: Steps[ResultT],
    send: Callable[[Call[Any]], Awaitable[Any]],
    patience: Patience,
    checkpoint: CheckpointFile | None = None,
    *,
    context: JobContext | None = None,
    lanes: Lanes | None = None,
    threads: bool = True,
) -> AsyncGenerator[Progress | Finished[ResultT], None]:
    """Carry out the steps of a job; yields its progress, and at last its result.

    Args:
        steps: closed at the end, also when this generator is closed before.
        send: sends a call and returns the parsed answer, or raises CallError.
        patience: the job's, which learns of each answer.
        checkpoint: gets the snapshots, and whatever ends the job early, the last one.
        context: the client's; that of a client which has learnt nothing, if None.
        lanes: the room for calls that are under way at once; None for one.
        threads: let a thread do what the job does between its calls, for jobs that work on pictures there.
    """
    answer: Any = None
    failure: CallError | None = None
    strands: AsyncStrands | None = None

    def advance() -> Step | Finished[ResultT]:
        try:
            return steps.send(answer) if failure is None else steps.throw(failure)
        except StopIteration as end:  # which no future may raise
            return Finished(cast(ResultT, end.value))

    given = context or new_context()
    with given.begin() as span:

        async def send_in_span(call: Call[Any]) -> Any:
            with span.current():
                return await send(call)

        async def send_alone(call: Call[Any]) -> Any:
            if lanes is None:
                return await send_in_span(call)
            async with lanes.free:
                return await send_in_span(call)

        async def carry_out(strand: Steps[Any]) -> Any:
            return await finish(drive(strand, send_in_span, patience))

        async def learn(step: Learning[Any]) -> Any:
            learnt = given.knowledge
            async with learnt.lock_of_loop(step.model):
                return await finish(
                    drive(step.steps(learnt.about(step.model)), send_alone, patience, threads=False)
                )

        try:
            while True:
                step = await in_thread(advance) if threads else advance()
                answer = failure = None
                if isinstance(step, Finished):
                    yield step
                    return
                if isinstance(step, Progress):
                    yield step
                elif isinstance(step, Snapshot):
                    if checkpoint is not None:
                        await in_thread(partial(checkpoint.offer, step))
                elif isinstance(step, Pause):
                    await asyncio.sleep(step.seconds)
                elif isinstance(step, PatienceWanted):
                    answer = patience
                elif isinstance(step, Together):
                    if strands is None or strands.together is not step:
                        strands = AsyncStrands(step, carry_out, lanes or Lanes(1))
                    try:
                        answer = await strands.next()
                    except CallError as error:
                        failure = error
                    if failure is not None or answer is ENDED:
                        await strands.close()
                        strands = None
                elif isinstance(step, Learning):
                    try:
                        answer = await learn(step)
                    except CallError as error:
                        failure = error
                else:
                    try:
                        answer = await send_alone(step)
                    except CallError as error:
                        failure = error
                    else:
                        patience.met = True
        finally:
            if strands is not None:
                await strands.close()
            steps.close()
            if checkpoint is not None:
                await in_thread(checkpoint.flush)


async def finish(
    driven: AsyncGenerator[Progress | Finished[ResultT], None], on_progress: OnProgress[Any] | None = None
) -> ResultT:
    """Run a driven job to its end; whatever happens, it is closed."""
    async with aclosing(driven):
        async for step in driven:
            if isinstance(step, Finished):
                return step.result
            if on_progress is not None:
                on_progress(step)
    raise AssertionError("a driven job ends with its result")
