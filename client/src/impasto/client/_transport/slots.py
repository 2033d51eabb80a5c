"""The calls that the asynchronous client has under way at once: as many as the setting allows and the server takes."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from impasto.client.errors import ServerOverloaded

_GROWTH: Final = 0.1


class Slots:
    """Room for calls; those beyond it queue, first come, first served.

    No call goes beyond `most`. The calls of jobs, which can wait, also keep to what the server has shown to take: there
    is no such limit until one of them is refused by an overloaded server, which lowers it to the number of those that
    were under way beside it; answers raise it again, slowly, for other clients may have left. By trying their luck in
    turns with those who never pause, the refused would wait for ever: they queue again at the end.

    A blocking client has a thread for each call under way, and needs no slots.

    Args:
        most: how many calls may be under way at once, the setting `max_in_flight`.
    """

    def __init__(self, most: int) -> None:
        self._all = asyncio.Semaphore(most)
        self._limit = math.inf
        self._taken = 0
        self._queue: deque[asyncio.Future[None]] = deque()

    @property
    def limit(self) -> float:
        """The whole part of it is how many calls of jobs may be under way; infinite until one is refused."""
        return self._limit

    @asynccontextmanager
    async def taken(self, *, patient: bool) -> AsyncGenerator[None, None]:
        """Wait for a slot, and hold it for one call.

        Args:
            patient: whether the call is a job's: it keeps to what the server takes, and its outcome tells what that is.
        """
        if not patient:
            async with self._all:
                yield
            return
        await self._enter()
        try:
            async with self._all:
                yield
        except ServerOverloaded:
            self._limit = min(self._limit, max(1, self._taken - 1))
            raise
        else:
            self._limit += _GROWTH / self._limit
        finally:
            self._leave()

    async def _enter(self) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        self._let_in()
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it had come just then
                self._leave()
            raise

    def _leave(self) -> None:
        self._taken -= 1
        self._let_in()

    def _let_in(self) -> None:
        while self._queue and self._taken + 1 <= self._limit:
            turn = self._queue.popleft()
            if not turn.done():  # whoever is cancelled does not wait any more
                self._taken += 1
                turn.set_result(None)
