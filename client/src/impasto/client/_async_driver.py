"""Run jobs with awaits: the same jobs that `_driver` runs with blocking calls."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeAlias, TypeVar, cast

from impasto.client._driver import OnProgress
from impasto.client._jobs import Pause, Progress, Snapshot
from impasto.client._prepared import Prepare, Prepared
from impasto.client._transport.asynchronous import in_thread
from impasto.client._transport.calls import Call
from impasto.client._transport.patience import Patience, PatienceWanted
from impasto.client.errors import CallError
from impasto.client.settings import CallKind

ResultT = TypeVar("ResultT")
Sender: TypeAlias = Callable[[Call[Any]], Awaitable[Any]]


@dataclass(frozen=True, eq=False)
class Finished(Generic[ResultT]):
    """The last thing that a driven job gives: an async generator returns nothing."""

    result: ResultT


async def drive(
    prepared: Prepared[ResultT], send: Sender, patience: Patience, *, threads: bool = True
) -> AsyncGenerator[Progress | Finished[ResultT], None]:
    """Do what a job asks for; yields its progress, and at last its result.

    Args:
        prepared: its job is closed at the end, also when this generator is closed before; and whatever ends it early,
            the checkpoint gets its last snapshot.
        send: sends a call and returns the parsed answer, or raises CallError.
        patience: the job's, which learns of each answer.
        threads: let a thread do what the job does between its calls, for jobs that work on pictures there.
    """
    job, checkpoint = prepared.job, prepared.checkpoint
    answer: Any = None
    failure: CallError | None = None

    def advance() -> Any:
        try:
            return job.send(answer) if failure is None else job.throw(failure)
        except StopIteration as end:  # which no future may raise
            return Finished(cast(ResultT, end.value))

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
            else:
                try:
                    answer = await send(step)
                except CallError as error:
                    failure = error
                else:
                    patience.answered(job)
    finally:
        patience.ended(job)
        job.close()
        if checkpoint is not None:
            await in_thread(checkpoint.flush)


async def finish(
    steps: AsyncGenerator[Progress | Finished[ResultT], None], on_progress: OnProgress[Any] | None
) -> ResultT:
    """Run a driven job to its end; whatever happens, it is closed."""
    async with aclosing(steps):
        async for step in steps:
            if isinstance(step, Finished):
                return step.result
            if on_progress is not None:
                on_progress(step)
    raise AssertionError("a driven job ends with its result")


class AsyncRunner(ABC):
    """Runs jobs; the methods of an async client, a file for each kind of model, build on it."""

    @abstractmethod
    def _patience(self) -> Patience:
        """The patience of a job that begins now."""

    @abstractmethod
    async def _send(self, call: Call[ResultT], kind: CallKind, timeout: float | None) -> ResultT:
        """The answer; `timeout` is in seconds, and None is the client's for this kind of call."""

    def _sender(self, kind: CallKind, timeout: float | None) -> Sender:
        return lambda call: self._send(call, kind, timeout)

    async def _run(
        self,
        kind: CallKind,
        prepare: Prepare[ResultT],
        timeout: float | None,
        on_progress: OnProgress[Any] | None = None,
    ) -> ResultT:
        prepared = await in_thread(prepare)
        return await finish(drive(prepared, self._sender(kind, timeout), self._patience()), on_progress)

    async def _watch(
        self, kind: CallKind, prepare: Prepare[Any], timeout: float | None
    ) -> AsyncGenerator[Any, None]:
        """Reads what the job needs when the iteration begins, and runs it as it goes on."""
        prepared = await in_thread(prepare)
        async with aclosing(drive(prepared, self._sender(kind, timeout), self._patience())) as steps:
            async for step in steps:
                if not isinstance(step, Finished):
                    yield step
