"""A job with all that it was given read and checked: what a client's method hands to the driver."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from impasto.client._jobs import Job
from impasto.client.checkpoint import CheckpointFile

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, eq=False)
class Prepared(Generic[ResultT]):
    """A job that is ready to run.

    Attributes:
        job: not started yet.
        checkpoint: where its snapshots go, if anywhere.
    """

    job: Job[ResultT]
    checkpoint: CheckpointFile | None = None


Prepare: TypeAlias = Callable[[], Prepared[ResultT]]
"""Reads pictures and files, which takes time: the sync client calls it, the async client lets a thread call it."""
