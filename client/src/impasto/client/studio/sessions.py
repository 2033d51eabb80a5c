"""Sessions: what belongs to one person's browser, and to nobody else."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from impasto.client.studio.limits import Limits
from impasto.client.studio.pictures import Kept
from impasto.client.studio.records import Record
from impasto.client.studio.refusals import Refusal, missing


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
