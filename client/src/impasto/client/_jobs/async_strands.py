"""The strands of a Together in tasks, for the driver that awaits."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from impasto.client._jobs.steps import ENDED, Steps, Together
from impasto.client._jobs.strands import PLACES


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
