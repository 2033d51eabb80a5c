"""Jobs without their mathematics: the values, the steps that they take, and what carries the steps out.

The models build on the names that are imported here; the clients use the drivers and the rest from their own modules.
"""

from __future__ import annotations

from impasto.client._jobs.job import Job
from impasto.client._jobs.long import Begin, LongJob
from impasto.client._jobs.mapping import CONCURRENCY, Outcome
from impasto.client._jobs.optimisation import Arrays, LongProgress, Optimisation, Size
from impasto.client._jobs.pinning import PinnedModel, begun_again
from impasto.client._jobs.steps import ENDED, Learning, Progress, Steps, Together

__all__ = [
    "CONCURRENCY",
    "ENDED",
    "Arrays",
    "Begin",
    "Job",
    "Learning",
    "LongJob",
    "LongProgress",
    "Optimisation",
    "Outcome",
    "PinnedModel",
    "Progress",
    "Size",
    "Steps",
    "Together",
    "begun_again",
]
