"""When a version that does not load is tried again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Retries:
    """How often and how soon a version that does not load is tried again.

    Attributes:
        count: how often, after the first try; 0 or less for never.
        seconds: the time between two tries; 0 or less for none.
    """

    count: int
    seconds: float
