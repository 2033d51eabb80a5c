"""The queue: few jobs at once, people in turn, everybody sees a place; and the limits of what a Studio takes on."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from impasto.client.studio.records import Record


@dataclass(frozen=True)
class Limits:
    """The limits of what people may ask for; `impasto studio` has options for the first two.

    Attributes:
        megapixels: of an uploaded picture, in millions of pixels; read before the picture is decoded.
        jobs: how many are under way at once.
        growth: a result may have so many times `megapixels`.
        upload_bytes: the most bytes of a picture's file.
        upload_seconds: the time that an upload may take.
        waiting: jobs that wait, of everybody together.
        session_jobs: jobs of one person that wait or are under way.
        session_pictures: uploaded pictures of one person.
        session_kept: jobs of one person that are kept, finished ones included.
        kept_bytes: of the files of everybody together.
        kept_seconds: how long pictures and results are kept.
        tab_seconds: how long a job goes on without the tab that began it.
        steps: the most steps of a long job at each size.
        sessions: people who are known at once.
    """

    megapixels: float = 24.0
    jobs: int = 2
    growth: float = 4.0
    upload_bytes: int = 64 * 2**20
    upload_seconds: float = 120.0
    waiting: int = 200
    session_jobs: int = 100
    session_pictures: int = 300
    session_kept: int = 300
    kept_bytes: int = 4 * 2**30
    kept_seconds: float = 3600.0
    tab_seconds: float = 15.0
    steps: int = 20_000
    sessions: int = 1000

    @property
    def max_pixels(self) -> int:
        """The most pixels of an uploaded picture."""
        return round(1e6 * self.megapixels)

    @property
    def max_result_pixels(self) -> int:
        """The most pixels of a result."""
        return round(1e6 * self.megapixels * self.growth)

    def as_json(self) -> dict[str, Any]:
        """Return what the page tells people."""
        return {
            "megapixels": self.megapixels,
            "jobs": self.jobs,
            "kept_seconds": self.kept_seconds,
            "result_megapixels": self.megapixels * self.growth,
            "upload_bytes": self.upload_bytes,
            "waiting": self.waiting,
            "steps": self.steps,
        }


class Queue:
    """Runs jobs in tasks, `at_once` of them.

    The next one is that of the person who has the fewest before it, of those the one whose turn was the longest ago:
    whoever drops a folder of a hundred pictures keeps nobody waiting for all of them.

    Args:
        at_once: how many run.
        run: runs one to its end, and raises nothing but CancelledError.
        tell: is called with a job whose place has changed.
    """

    def __init__(
        self, at_once: int, run: Callable[[Record], Awaitable[None]], tell: Callable[[Record], None]
    ) -> None:
        self._at_once = at_once
        self._run = run
        self._tell = tell
        self._waiting: list[Record] = []
        self._running: dict[Record, asyncio.Task[None]] = {}
        self._turns: dict[str, int] = {}
        self._turn = 0

    @property
    def waiting(self) -> int:
        """The number of jobs that wait."""
        return len(self._waiting)

    def add(self, record: Record) -> None:
        """Let a job wait for its turn, which may be now."""
        record.state = "queued"
        self._waiting.append(record)
        self._go_on()

    async def cancel(self, record: Record) -> None:
        """End a job that waits or runs, and wait until it has ended."""
        if record in self._waiting:
            self._waiting.remove(record)
            record.place = None
            self._go_on()
        task = self._running.get(record)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def close(self) -> None:
        """End all jobs."""
        await asyncio.gather(*(self.cancel(record) for record in [*self._waiting, *self._running]))

    def _go_on(self) -> None:
        while self._waiting and len(self._running) < self._at_once:
            record = in_turn(self._waiting, self._running, self._turns)[0]
            self._waiting.remove(record)
            record.place = None
            self._turn += 1
            self._turns[record.session] = self._turn
            task = asyncio.create_task(self._work(record))
            self._running[record] = task
            task.add_done_callback(partial(self._ended, record))
        here = {record.session for record in (*self._waiting, *self._running)}
        self._turns = {session: turn for session, turn in self._turns.items() if session in here}
        for place, record in enumerate(in_turn(self._waiting, self._running, self._turns), 1):
            if record.place != place:
                record.place = place
                self._tell(record)

    async def _work(self, record: Record) -> None:
        await self._run(record)

    def _ended(self, record: Record, _: asyncio.Task[None]) -> None:
        self._running.pop(record, None)
        self._go_on()


def in_turn(waiting: Iterable[Record], running: Iterable[Record], turns: Mapping[str, int]) -> list[Record]:
    """Return jobs in the order in which they will begin.

    Args:
        waiting: the jobs.
        running: those that run.
        turns: counts the jobs that had begun when a person's last one began; without it a person who has just had a
            turn would be the next again, as the one who came first.
    """
    before = Counter(record.session for record in running)
    ranked: list[tuple[int, int, int, Record]] = []
    for record in sorted(waiting, key=lambda record: record.order):
        ranked.append((before[record.session], turns.get(record.session, 0), record.order, record))
        before[record.session] += 1
    return [record for *_, record in sorted(ranked, key=lambda entry: entry[:3])]
