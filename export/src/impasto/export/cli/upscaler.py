"""`impasto-export upscaler`: train, export and evaluate networks that enlarge pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from impasto.client.texts import printable
from impasto.export.cli.evaluating import evaluate
from impasto.export.cli.options import ALLOW_HOST_OPS, MODELS, TensorFlowCommand, show_version
from impasto.export.cli.upscaler_import import import_
from impasto.export.errors import ExportError
from impasto.export.upscale.presets import FACTORS, SIZES, model_name, recipe

if TYPE_CHECKING:
    from impasto.export.upscale.photos import Photo
    from impasto.export.upscale.training import Epoch

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


@click.group()
def upscaler() -> None:
    """Train, export and evaluate networks that enlarge pictures."""


@upscaler.command(cls=TensorFlowCommand)
@PHOTOS
@click.option(
    "--size",
    type=click.Choice(list(SIZES)),
    default="small",
    show_default=True,
    help="The network's size: `small` takes a third of srcnn's time, `base` as long as srcnn, `large` four times as "
    "long.",
)
@click.option(
    "--degradation",
    type=click.Choice(["none", "real"]),
    default="none",
    show_default=True,
    help="`real`: train on pictures that blur, noise and JPEG have worn, for photos from the web.",
)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the training's checkpoints. Default: build/ and the model's name, as in build/upscaler-small.",
)
@click.option(
    "--start-from",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of a training of the same size, or a version such as models/upscaler-small/2: go on from its weights, "
    "for a shorter time.",
)
@click.option("--epochs", type=click.IntRange(1), help="The number of epochs, instead of the recipe's.")
@click.option("--steps", type=click.IntRange(1), help="The steps of an epoch, instead of the recipe's.")
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    help="End after so many minutes in all, instead of after a number of epochs. The step size is fitted to it, so a "
    "training can also be brought to its end early: stop it, and repeat the command with --minutes.",
)
@click.option(
    "--compute",
    type=click.Choice(["float32", "bfloat16"]),
    default="float32",
    show_default=True,
    help="The dtype in which convolutions are trained. bfloat16 takes a third of the time where processors have it "
    "(amx_bf16 in /proc/cpuinfo), and ten times as long elsewhere.",
)
@TRAINING_SEED
@HELD_OUT
def train(
    photos: Path,
    size: str,
    degradation: str,
    checkpoint: Path | None,
    start_from: Path | None,
    epochs: int | None,
    steps: int | None,
    minutes: float | None,
    compute: str,
    seed: int,
    held_out: Path | None,
) -> None:
    """Train on a folder of PHOTOS; run it again to continue a training that was stopped.

    A photo that cannot be read is named and left out.

    A file licences.json in the folder ({"photo.jpg": {"author": ..., "licence": ...}}) is carried into the
    model's manifest.
    """
    from impasto.export.upscale.pairs import TrainingPictures, read_at_sizes
    from impasto.export.upscale.photos import describe_photos, list_photos
    from impasto.export.upscale.training import Trainer

    plan = recipe(size, degradation, is_continued=start_from is not None)
    plan = replace(plan, epochs=epochs or plan.epochs, steps=steps or plan.steps, compute=compute)
    folder = checkpoint or Path("build", model_name(size, degradation))
    number = len(list_photos(photos)) * len(plan.longest_sides)
    console = TrainingConsole()
    measured = console.held_out(held_out)
    with console.bars() as progress:
        reading = progress.add_task("reading photos", total=number)
        pictures = TrainingPictures(
            read_at_sizes(photos, plan, on_unreadable=console.leave_out),
            plan,
            FACTORS,
            on_picture=lambda: progress.advance(reading),
        )
        console.say_how_many_are_left_out()
        training = progress.add_task("training", total=100)

        def on_step(done: float, loss: float) -> None:
            progress.update(training, completed=int(100 * done), description=f"training, error {loss:.2f}")

        trainer = Trainer(
            folder,
            plan,
            data=describe_photos(photos, without=console.left_out),
            seed=seed,
            start_from=start_from,
        )
        trainer.run(
            pictures,
            measured,
            minutes=minutes,
            on_step=on_step,
            on_epoch=lambda epoch: console.say(_told(epoch)),
        )
    click.echo(
        f"trained; export it with: impasto-export upscaler save {printable(str(folder))}",
        err=True,
    )


@upscaler.command(cls=TensorFlowCommand)
@click.argument("checkpoint", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--photos",
    type=click.Path(path_type=Path),
    help="Folder of photos to measure, which the training did not see. Default: six of scikit-image and scikit-learn.",
)
@ALLOW_HOST_OPS
@MODELS
def save(checkpoint: Path, photos: Path | None, allow_host_ops: bool, models: Path) -> None:
    """Export the network of the training in the folder CHECKPOINT as the next version of its model.

    CHECKPOINT may also be a version, such as models/upscaler-small/2: its network is exported anew, as this exporter
    writes it.

    The model is named by the network's size and degradation: `upscaler-small`, `upscaler-base-real`. The manifest says
    how well it enlarges the photos that are measured.
    """
    from impasto.export.upscale.photos import photos_to_measure
    from impasto.export.upscale.trained import publish

    measured = photos_to_measure(photos)
    show_version(publish(checkpoint, models, measured, allow_host_ops=allow_host_ops))


upscaler.add_command(evaluate)
upscaler.add_command(import_)


def _told(epoch: Epoch) -> str:
    from impasto.export.upscale.evaluate import mean_gain

    gains = [
        f"{factor} times {mean_gain([score for score in epoch.scores if score.factor == factor]):+.2f}"
        for factor in FACTORS
    ]
    return (
        f"epoch {epoch.number:>2}, {epoch.progress:4.0%} of the training: error {epoch.loss:.2f}; on the held-out "
        f"photos against bicubic, in dB: {', '.join(gains)}"
    )
