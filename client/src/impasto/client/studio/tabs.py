"""The tabs that watch their jobs: some seconds after one is closed, what it had begun is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from impasto.client.studio.records import Record
from impasto.client.studio.sessions import Session

_NOTE: Final = "Stopped, as the tab that began it was closed; go on continues it."


class Tabs:
    """The tabs of all sessions.

    Args:
        patience: the seconds that a tab may be away, as when its page is loaded anew.
        stop: ends a job, which keeps what there is of it and a note why.
    """

    def __init__(self, patience: float, stop: Callable[[Record, str], Awaitable[None]]) -> None:
        self._patience = patience
        self._stop = stop
        self._absences: dict[tuple[str, str], asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def close(self) -> None:
        """Wait for no tab any more."""
        for handle in self._absences.values():
            handle.cancel()

    def enter(self, session: Session, tab: str) -> None:
        """Note that a tab watches."""
        session.tabs[tab] += 1
        handle = self._absences.pop((session.id, tab), None)
        if handle is not None:
            handle.cancel()

    def leave(self, session: Session, tab: str) -> None:
        """Note that a tab watches no more; its jobs are stopped unless it is back in time."""
        session.tabs[tab] -= 1
        if session.tabs[tab] <= 0:
            del session.tabs[tab]
            self.expect(session, tab)

    def expect(self, session: Session, tab: str) -> None:
        """Give a tab that does not watch the time to do so, as one that has begun a job may be gone by then."""
        key = (session.id, tab)
        if not session.tabs[tab] and key not in self._absences:
            loop = asyncio.get_running_loop()
            self._absences[key] = loop.call_later(self._patience, self._give_up, session, tab)

    def _give_up(self, session: Session, tab: str) -> None:
        self._absences.pop((session.id, tab), None)
        for record in list(session.jobs.values()):
            if record.tab == tab and record.is_unfinished:
                task = asyncio.get_running_loop().create_task(self._end(record))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _end(self, record: Record) -> None:
        await self._stop(record, _NOTE)
