"""The queue: few jobs at once, people in turn, and everybody sees a place."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial

from impasto.client.studio.records import Record


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
