"""Sessions: what belongs to one person's browser and to nobody else; and the tabs that watch its jobs."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from impasto.client.studio.pictures import Kept
from impasto.client.studio.queue import Limits
from impasto.client.studio.records import Record
from impasto.client.studio.refusals import Refusal, missing

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


@dataclass(eq=False)
class Session:
    """One browser's.

    Attributes:
        id: the value of its cookie, which cannot be guessed.
        seen: when it asked for something last.
        may: whether it has shown the token, where one is wanted.
        pictures: what was uploaded, by id.
        jobs: by id.
        tabs: how many streams of events each tab has open.
        gone: the jobs that were deleted, with the revision of that.
    """

    id: str
    seen: float
    may: bool = False
    pictures: dict[str, Kept] = field(default_factory=dict[str, Kept])
    jobs: dict[str, Record] = field(default_factory=dict[str, Record])
    tabs: Counter[str] = field(default_factory=Counter[str])
    gone: dict[str, int] = field(default_factory=dict[str, int])
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self) -> None:
        """Wake those who watch the jobs."""
        self._changed.set()
        self._changed = asyncio.Event()

    @property
    def changed(self) -> asyncio.Event:
        """Set when a job changes the next time."""
        return self._changed

    def job(self, identity: str) -> Record:
        """Return a job. Raises Refusal, as for one of somebody else."""
        if identity not in self.jobs:
            raise missing("job")
        return self.jobs[identity]

    def unfinished(self) -> int:
        """Return how many jobs wait or run."""
        return sum(job.is_unfinished for job in self.jobs.values())


class Sessions:
    """The sessions of a Studio.

    Args:
        limits: how many there may be.
        needs_token: whether a new one may do nothing yet.
    """

    def __init__(self, limits: Limits, *, needs_token: bool) -> None:
        self._limits = limits
        self._needs_token = needs_token
        self._sessions: dict[str, Session] = {}

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._sessions.values()))

    def find(self, identity: str | None, now: float) -> Session | None:
        """Return the session of a cookie, which is seen now; None if there is none."""
        session = self._sessions.get(identity or "")
        if session is not None:
            session.seen = now
        return session

    def begin(self, now: float, *, may: bool = False) -> Session:
        """Return a new session.

        Raises:
            Refusal: there are too many.
        """
        if len(self._sessions) >= self._limits.sessions:
            self._drop_an_empty_one()
        session = Session(secrets.token_urlsafe(24), now, may=may or not self._needs_token)
        self._sessions[session.id] = session
        return session

    def drop(self, session: Session) -> None:
        """Forget a session."""
        self._sessions.pop(session.id, None)

    def _drop_an_empty_one(self) -> None:
        """Make room, as whoever sends no cookies gets a session with each request."""
        empty = [
            each for each in self._sessions.values() if not each.jobs and not each.pictures and not each.tabs
        ]
        if not empty:
            raise Refusal(503, "Too many people are here at the moment; try again in some minutes.")
        self.drop(min(empty, key=lambda session: session.seen))
