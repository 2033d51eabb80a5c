"""A job of a Studio: what was asked for, how far it is, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from impasto.client import Job, LongProgress

State = Literal["queued", "running", "stopped", "done", "failed"]

UNFINISHED: Final = ("queued", "running")
_MOST_LOSSES: Final = 2000
"""The points of a curve that are kept: of a longer one every second is left out, again and again."""


@dataclass(frozen=True)
class Request:
    """The order of a person.

    Attributes:
        kind: upscale, stylize, dream, transfer, strip or bench.
        fields: the form as it was sent, with pictures by their ids.
        names: the name of each picture's file, by its id; no two are equal.
        job: the job with the names of its pictures; None for a strip and a bench.
        name: of the result's file.
        command: the command line that does the same.
        python: the program that does the same.
    """

    kind: str
    fields: Mapping[str, Any]
    names: Mapping[str, str]
    job: Job[Any, Any] | None
    name: str
    command: str
    python: str


@dataclass(eq=False)
class Record:
    """A job, of which its session's pages hear whenever it changes.

    Attributes:
        id: cannot be guessed.
        session: the id of the person's session.
        tab: the tab that began it, if it said so.
        request: what was asked for.
        order: counts the jobs of a Studio; a job that goes on gets a new one.
        folder: private; has its result and checkpoint.
        state: how it stands.
        revision: counts the changes of all jobs, so that pages know what is new to them.
        place: in the queue, from 1.
        step: steps done.
        steps: steps in all; 0 while unknown.
        seconds_left: an estimate.
        losses: the curves.
        preview: a JPEG of the present picture.
        previews: how many there were.
        result: width and height of what it made.
        strip: the photo in the style of each painting so far.
        bench: the figures of each model so far.
        error: why it failed.
        note: why it waits, or why it was stopped.
        version: the version of the model that answers.
        began: when it began to run; None before.
        seconds: that it has run, in all.
        ended: when it ended last; None while it is not.
        last: the last progress, of which the picture so far is made.
    """

    id: str
    session: str
    tab: str | None
    request: Request
    order: int
    folder: Path
    state: State = "queued"
    revision: int = 0
    place: int | None = None
    step: int = 0
    steps: int = 0
    seconds_left: float | None = None
    losses: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    preview: bytes | None = None
    previews: int = 0
    result: tuple[int, int] | None = None
    strip: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    bench: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    error: str | None = None
    note: str | None = None
    version: int | None = None
    began: float | None = None
    seconds: float = 0.0
    ended: float | None = None
    last: LongProgress | None = None

    @property
    def is_unfinished(self) -> bool:
        """True while it waits or runs."""
        return self.state in UNFINISHED

    @property
    def result_path(self) -> Path:
        """The file with the result."""
        return self.folder / "result.png"

    @property
    def checkpoint_path(self) -> Path:
        """The file that a long job goes on from."""
        return self.folder / "checkpoint"

    def strip_path(self, number: int) -> Path:
        """The file with one picture of a strip."""
        return self.folder / f"strip-{number}.jpg"

    def add_losses(self, losses: Mapping[str, float | None]) -> None:
        """Add a point to each curve."""
        for name, value in losses.items():
            if value is not None:
                curve = self.losses.setdefault(name, [])
                curve.append(value)
                if len(curve) > _MOST_LOSSES:
                    del curve[1::2]

    def as_json(self) -> dict[str, Any]:
        """Return what the page sees."""
        request, url = self.request, f"/api/jobs/{self.id}"
        preview = f"{url}/preview?n={self.previews}" if self.preview is not None else None
        return {
            "id": self.id,
            "kind": request.kind,
            "tab": self.tab,
            "name": request.name,
            "fields": dict(request.fields),
            "state": self.state,
            "place": self.place,
            "step": self.step,
            "steps": self.steps,
            "seconds_left": self.seconds_left,
            "losses": self.losses,
            "preview": preview,
            "result": None if self.result is None else self._result(url),
            "strip": self.strip if request.kind == "strip" else None,
            "bench": self.bench if request.kind == "bench" else None,
            "error": self.error,
            "note": self.note,
            "version": self.version,
            "seconds": round(self.seconds, 2),
            "command": request.command,
            "python": request.python,
        }

    def _result(self, url: str) -> dict[str, Any]:
        assert self.result is not None
        width, height = self.result
        address = f"{url}/result?n={self.revision}" if self.state == "stopped" else f"{url}/result"
        return {"url": address, "width": width, "height": height, "name": self.request.name}
