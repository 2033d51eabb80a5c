"""The limits of a Studio: what it takes on, and how long it keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


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
