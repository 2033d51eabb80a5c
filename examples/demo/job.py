"""What the demonstration can show: a job of a model, and how to get the model if it is not in the repository."""

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
        model: the model's name in the repository.
        show: makes the pictures, given the server's address, the examples folder and the output folder; returns
            what to look at.
        export: arguments of `impasto-export` that make the model; empty for a model that is committed.
    """

    model: str
    show: Callable[[str, Path, Path], list[Path]]
    export: tuple[str, ...] = ()

    def prepare(self, models: Path) -> bool:
        """Whether the model is in the repository, exported now if it was not.

        Without network, the demonstration goes on with the other models.
        """
        if (models / self.model).is_dir():
            return True
        if run("impasto-export", *self.export, "--models", str(models)):
            return True
        click.secho(f"skipping {self.model}: it could not be exported", fg="yellow", err=True)
        return False
