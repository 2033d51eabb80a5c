"""The part of a long job that one call does: about a second's worth, so that it can be watched, stopped and resumed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

CHUNK_SECONDS: Final = 1.0

# A chunk does at most this many times the work of the last, as one short measurement may mislead.
_GROWTH: Final = 4.0


class Pace:
    """Sizes chunks by how long the last one took.

    Work is counted in any unit that time is proportional to, such as steps times pixels, so that one measurement
    serves for pictures of several sizes.

    Args:
        seconds: how long a chunk should take.
        clock: gives the time in seconds.
    """

    def __init__(
        self, seconds: float = CHUNK_SECONDS, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._target = seconds
        self._clock = clock
        self._started = clock()
        self._disturbed = False
        self._last_work: float | None = None
        self._last_rate = 0.0
        self._usual_rate = 0.0

    def steps(self, work: float, *, most: int) -> int:
        """Return the number of steps that the next chunk takes: 1 to `most`, and 1 before anything is known.

        Args:
            work: of one step.
            most: the number of steps that are wanted, at least 1.
        """
        if self._last_work is None:
            return 1
        wanted = min(self._target / max(self._last_rate, 1e-12), _GROWTH * self._last_work)
        return max(1, min(most, int(wanted / work)))

    def start(self) -> None:
        """A chunk begins."""
        self._started = self._clock()
        self._disturbed = False

    def disturb(self) -> None:
        """The chunk has to be sent again: how long it takes says nothing about others."""
        self._disturbed = True

    def stop(self, work: float) -> None:
        """The chunk, of `work` in all, is done."""
        if self._disturbed:
            return
        rate = (self._clock() - self._started) / work
        # The time that is left is told from a running mean: it should not jump with each chunk.
        self._usual_rate = rate if self._last_work is None else (self._usual_rate + rate) / 2
        self._last_work, self._last_rate = work, rate

    def seconds(self, work: float) -> float | None:
        """Return the seconds that `work` will take; None before anything is known."""
        return None if self._last_work is None else work * self._usual_rate
