"""As many calls at once as a server takes, and the others in a queue."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from impasto.client.errors import ServerOverloaded

_GROWTH: Final = 0.1


class Room:
    """How many calls that can wait are under way at once: no more than the server has shown to take.

    It begins without a limit. A call that is refused by an overloaded server lowers it to the number of those that
    were under way beside it; answers raise it again, slowly, for other clients may have left. First come, first
    served: by trying their luck in turns with those who never pause, the refused would wait for ever.
    """

    def __init__(self) -> None:
        self._limit = math.inf
        self._inside = 0
        self._queue: deque[asyncio.Future[None]] = deque()

    @property
    def limit(self) -> float:
        """The whole part of it is how many may be under way; infinite until a call is refused."""
        return self._limit

    @asynccontextmanager
    async def place(self) -> AsyncGenerator[None, None]:
        """Wait for a place, and have it for one call; its outcome teaches the room."""
        await self._enter()
        try:
            yield
        except ServerOverloaded:
            self._limit = min(self._limit, max(1, self._inside - 1))
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
        self._inside -= 1
        self._let_in()

    def _let_in(self) -> None:
        while self._queue and self._inside + 1 <= self._limit:
            turn = self._queue.popleft()
            if not turn.done():  # whoever is cancelled does not wait any more
                self._inside += 1
                turn.set_result(None)
