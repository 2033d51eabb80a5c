"""The common parts of the commands that train on photos."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from impasto.client.printable import printable
from impasto.export.errors import ExportError

if TYPE_CHECKING:
    from impasto.export.upscale.photos import Photo

PHOTOS = click.argument("photos", type=click.Path(path_type=Path))
TRAINING_SEED = click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="The seed of the weights and of the patches.",
)
HELD_OUT = click.option(
    "--held-out",
    type=click.Path(path_type=Path),
    help="Folder of photos to measure after each epoch. Default: six photos of scikit-image and scikit-learn.",
)


class TrainingConsole(Console):
    """The console of a training, which names each photo that cannot be read, once, and counts them."""

    def __init__(self) -> None:
        super().__init__(stderr=True)
        self.left_out: dict[Path, str] = {}

    def say(self, text: str) -> None:
        """Print a line, whatever the width of the terminal."""
        self.print(escape(printable(text)), highlight=False, soft_wrap=True)

    def leave_out(self, path: Path, error: ExportError) -> None:
        """Name a photo that cannot be read."""
        if path not in self.left_out:
            self.say(str(error))
        self.left_out[path] = str(error)

    def say_how_many_are_left_out(self) -> None:
        """Print the number of photos that could not be read, if there are any."""
        if self.left_out:
            self.say(f"left out {len(self.left_out)} of the photos")

    def held_out(self, folder: Path | None) -> list[Photo]:
        """Read the photos to measure: those of a folder, or the six that come with scikit-image and scikit-learn."""
        from impasto.export.upscale.photos import photos_to_measure

        return photos_to_measure(folder, on_unreadable=self.leave_out)

    def bars(self) -> Progress:
        """Return bars of progress, which tell the time that is left."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        return Progress(*columns, console=self)
