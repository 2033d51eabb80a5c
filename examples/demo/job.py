"""What the demonstration can show: a job, and how to get its model if it is not in the repository."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
from command import run


@dataclass(frozen=True)
class Job:
    """One part of the demonstration.

    Attributes:
        name: the job's.
        models: the names in the repository of the models that it takes.
        show: makes the pictures, given the server's address, the examples folder and the output folder; returns
            what to look at.
        export: arguments of `impasto-export` that make them; empty where they are committed.
    """

    name: str
    models: tuple[str, ...]
    show: Callable[[str, Path, Path], list[Path]]
    export: tuple[str, ...] = ()

    def prepare(self, models: Path) -> bool:
        """Whether the models are in the repository, exported now if they were not.

        Without network, the demonstration goes on with the other jobs.
        """
        if all((models / name).is_dir() for name in self.models):
            return True
        if self.export and run("impasto-export", *self.export, "--models", str(models)):
            return True
        click.secho(f"skipping {self.name}: it could not be exported", fg="yellow", err=True)
        return False
