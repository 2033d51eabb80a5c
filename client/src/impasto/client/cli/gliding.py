"""The place of a bar between two reports: it moves on by what is known of the call under way."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from impasto.client import LongProgress, Progress

# A call may take longer than expected: from this part of it on the bar moves ever slower, and never arrives.
_SURE: Final = 0.8


@dataclass(frozen=True)
class Reached:
    """The part of a job that is done, and what the call under way will add.

    Attributes:
        fraction: 0 to 1.
        next_fraction: where the next report will be.
        next_seconds: when it is expected; None if that is not known.
    """

    fraction: float
    next_fraction: float
    next_seconds: float | None

    @classmethod
    def of(cls, progress: Progress) -> Reached:
        """Return what a progress tells."""
        if isinstance(progress, LongProgress):
            return cls(progress.fraction, progress.next_fraction, progress.next_seconds)
        fraction = progress.done / max(progress.total, 1)
        return cls(fraction, fraction, None)

    def in_part(self, part: int, parts: int) -> Reached:
        """Return the same of all parts of a greater job, of which `part`, from 0, is under way."""
        return Reached((part + self.fraction) / parts, (part + self.next_fraction) / parts, self.next_seconds)


class Glide:
    """The place of one bar. It never moves back, nor past what the call under way will reach.

    Args:
        clock: gives the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._reached = Reached(0.0, 0.0, None)
        self._from = 0.0
        self._elapsed = 0.0
        self._seen = clock()

    def report(self, reached: Reached) -> None:
        """The job tells where it is."""
        self._from = max(self.place(), reached.fraction)
        self._reached = reached
        self._elapsed = 0.0

    def place(self, *, halted: bool = False) -> float:
        """Return where the bar is now, 0 to 1.

        Args:
            halted: the job has been waiting for its server since this was last asked, so nothing has moved.
        """
        now = self._clock()
        if not halted:
            self._elapsed += now - self._seen
        self._seen = now
        ahead, seconds = self._reached.next_fraction - self._from, self._reached.next_seconds
        if ahead <= 0 or not seconds:
            return self._from
        return self._from + ahead * _eased(self._elapsed / seconds)


def _eased(part: float) -> float:
    """Return how much of a call to show when `part` of the expected time is over: below 1, whatever it is."""
    if part <= _SURE:
        return part
    rest = 1.0 - _SURE
    return 1.0 - rest * max(math.exp((_SURE - part) / rest), 0.05)
