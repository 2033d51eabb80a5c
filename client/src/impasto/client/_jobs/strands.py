"""The strands of a Together: in threads for the driver that blocks, in tasks for the driver that awaits."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, Final

from impasto.client._jobs.steps import ENDED, Steps, Together
from impasto.client._threads import submitted, wait_until
from impasto.client._transport import forks
from impasto.client._transport.calls import Stop
from impasto.client.errors import ForkedProcess

PLACES: Final = 2
"""The strands that have begun or wait to begin, for each that may be under way at once.

A thread that is done so finds another strand although nobody has asked for its result yet, and one strand that takes
long does not let results pile up behind it.
"""


class Strands:
    """Carries out the strands of one Together, each in a thread.

    Args:
        together: the strands.
        carry_out: does what a strand says, until it is stopped, and returns its result. Called in the threads.
        at_once: the number of strands that are under way at once.
    """

    def __init__(
        self, together: Together[Any], carry_out: Callable[[Steps[Any], Stop], Any], *, at_once: int
    ) -> None:
        self.together = together
        self._carry_out = carry_out
        self._places = PLACES * at_once
        self._stop = Stop()
        self._begun: deque[Future[Any]] = deque()
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="impasto-calls")
        self._process = forks.process()
        self._failure: BaseException | None = None
        self._lock = threading.Lock()

    def next(self) -> Any:
        """Wait for the next result, in the strands' order; ENDED after the last.

        Raises:
            CallError: a strand's, the first that failed.
            ForkedProcess: this process was forked since the strands began.
        """
        if self._process is not forks.process():
            raise ForkedProcess(
                "this work began in the process that this one was forked from, and goes on there; begin it anew here"
            )
        while len(self._begun) < self._places and (strand := next(self.together.strands, None)) is not None:
            here = contextvars.copy_context()
            self._begun.append(submitted(self._threads, here.run, self._begin, strand))
        if not self._begun:
            return ENDED
        wait_until(lambda seconds: bool(wait([self._begun[0]], seconds).done))
        first = self._begun.popleft()
        if first.exception() is None:
            return first.result()
        assert self._failure is not None
        raise self._failure from self._failure.__cause__

    def close(self) -> None:
        """Stop the strands that are under way, and wait for their threads, which takes a moment."""
        if self._process is forks.process():
            self._stop.set()
            self._threads.shutdown(cancel_futures=True)

    def _begin(self, strand: Steps[Any]) -> Any:
        try:
            return self._carry_out(strand, self._stop)
        except BaseException as error:
            with self._lock:
                self._failure = self._failure or error
            self._stop.set()
            raise


class Lanes:
    """Room for the strands that are under way at once, in one job or in several that share it.

    Args:
        at_once: their number.
    """

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once
        self.free = asyncio.Semaphore(at_once)


class AsyncStrands:
    """Carries out the strands of one Together, each in a task.

    Args:
        together: the strands.
        carry_out: does what a strand says, and returns its result.
        lanes: a strand begins when one is free, and keeps it to its end.
    """

    def __init__(
        self,
        together: Together[Any],
        carry_out: Callable[[Steps[Any]], Awaitable[Any]],
        lanes: Lanes,
    ) -> None:
        self.together = together
        self._carry_out = carry_out
        self._lanes = lanes
        self._begun: deque[asyncio.Task[Any]] = deque()
        self._failure: BaseException | None = None

    async def next(self) -> Any:
        """Await the next result, in the strands' order; ENDED after the last. Raises the first failure of a strand."""
        places = PLACES * self._lanes.at_once
        while len(self._begun) < places and (strand := next(self.together.strands, None)) is not None:
            task = asyncio.create_task(self._begin(strand))
            task.add_done_callback(self._ended)
            self._begun.append(task)
        if not self._begun:
            return ENDED
        await asyncio.wait([self._begun[0]])
        first = self._begun.popleft()
        if self._failure is not None and (first.cancelled() or first.exception() is not None):
            raise self._failure from self._failure.__cause__
        return first.result()

    async def close(self) -> None:
        """Cancel the strands that are under way, and await their end."""
        self._cancel()
        await asyncio.gather(*self._begun, return_exceptions=True)

    def _cancel(self) -> None:
        for task in self._begun:
            task.cancel()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and self._failure is None:
            self._failure = error
            self._cancel()

    async def _begin(self, strand: Steps[Any]) -> Any:
        async with self._lanes.free:
            return await self._carry_out(strand)
