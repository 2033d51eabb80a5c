"""When a version that does not load is tried again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Retries:
    """The number of further tries for a version that does not load, and the time between them.

    Attributes:
        count: how often, after the first try; 0 or less for never.
        seconds: the time between two tries; 0 or less for none.
    """

    count: int
    seconds: float
