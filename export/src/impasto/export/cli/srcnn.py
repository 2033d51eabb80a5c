"""`impasto-export srcnn`: train, save, evaluate."""

from __future__ import annotations

import math
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from impasto.client.json_text import json_text
from impasto.client.printable import printable
from impasto.export.cli.options import ALLOW_HOST_OPS, JSON, MODELS, TensorFlowCommand, show_version
from impasto.export.cli.training import HELD_OUT, PHOTOS, TRAINING_SEED, TrainingConsole
from impasto.export.srcnn.presets import PRESETS

_CHECKPOINT = click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build/srcnn"),
    show_default=True,
    help="Folder of the training's checkpoints.",
)


def _finite(_context: click.Context, _parameter: click.Parameter, value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a number of dB")
    return value


@click.group()
def srcnn() -> None:
    """Train, save and evaluate the super-resolution model."""


@srcnn.command(cls=TensorFlowCommand)
@PHOTOS
@_CHECKPOINT
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    default="residual",
    show_default=True,
    help="`seed`: the classic recipe, which ends near bicubic. `residual`: learns what bicubic lacks.",
)
@click.option("--epochs", type=click.IntRange(1), help="The number of epochs, instead of the preset's.")
@click.option("--patches", type=click.IntRange(1), help="The number of patches, instead of the preset's.")
@TRAINING_SEED
@HELD_OUT
def train(
    photos: Path,
    checkpoint: Path,
    preset: str,
    epochs: int | None,
    patches: int | None,
    seed: int,
    held_out: Path | None,
) -> None:
    """Train on a folder of PHOTOS; run it again to continue a training that was stopped.

    A photo that cannot be read is named and left out.

    A file licences.json in the folder ({"photo.jpg": {"author": ..., "licence": ...}}) is carried into the
    model's manifest.
    """
    from dataclasses import replace

    from impasto.export.srcnn import photos as pictures
    from impasto.export.srcnn.patches import collect
    from impasto.export.srcnn.training import Epoch, Trainer

    recipe = PRESETS[preset]
    if patches is not None:
        recipe = replace(recipe, patches=patches)
    paths = pictures.list_photos(photos)
    console = TrainingConsole()
    measured = console.held_out(held_out)
    with console.bars() as progress:
        cutting = progress.add_task("cutting patches", total=len(paths))
        pairs = collect(
            pictures.read_photos(photos, longest_side=recipe.longest_side, on_unreadable=console.leave_out),
            recipe,
            seed=seed,
            on_photo=lambda: progress.advance(cutting),
        )
        console.say_how_many_are_left_out()
        training = progress.add_task("training", total=None)

        def on_step(done: int, total: int, loss: float) -> None:
            progress.update(training, completed=done, total=total, description=f"training, loss {loss:.6f}")

        def on_epoch(epoch: Epoch) -> None:
            gains = [score.gain_rgb for score in epoch.scores if score.is_finite]
            worst = min(gains, default=math.nan)
            console.say(
                f"epoch {epoch.number:>2}: loss {epoch.loss:.6f}, against bicubic on {len(gains)} held-out "
                f"photos {epoch.gain:+.2f} dB in the mean, {worst:+.2f} dB at worst"
            )

        trainer = Trainer(
            checkpoint,
            recipe,
            data=pictures.describe_photos(photos, without=console.left_out),
            epochs=epochs,
            seed=seed,
        )
        trainer.run(pairs, measured, on_step=on_step, on_epoch=on_epoch)
    click.echo(
        f"trained; export it with: impasto-export srcnn save --checkpoint {printable(str(checkpoint))}",
        err=True,
    )


@srcnn.command(cls=TensorFlowCommand)
@_CHECKPOINT
@click.option(
    "--from-version",
    type=click.IntRange(1),
    help="Take the network of this version in the repository, instead of a training's.",
)
@ALLOW_HOST_OPS
@MODELS
def save(checkpoint: Path, from_version: int | None, allow_host_ops: bool, models: Path) -> None:
    """Export the trained network as the next version of `srcnn` in the model repository.

    With --from-version, a network that was published before is exported anew, as this exporter writes it.
    """
    from impasto.export.srcnn.publish import publish, republish

    if from_version is None:
        version = publish(checkpoint, models, allow_host_ops=allow_host_ops)
    else:
        version = republish(from_version, models, allow_host_ops=allow_host_ops)
    show_version(version)


@srcnn.command(cls=TensorFlowCommand)
@MODELS
@click.option("--version", type=click.IntRange(1), help="Default: the newest.")
@click.option(
    "--photos",
    type=click.Path(path_type=Path),
    help="Folder of photos that the training did not see. Default: six of scikit-image and scikit-learn.",
)
@click.option(
    "--require-gain",
    type=float,
    callback=_finite,
    help="Fail when the mean gain is below this many dB, or cannot be measured on some photo.",
)
@JSON
def evaluate(
    models: Path, version: int | None, photos: Path | None, require_gain: float | None, as_json: bool
) -> None:
    """Measure an exported version against bicubic interpolation.

    Each photo is halved with Pillow's antialiased bicubic filter and doubled again; PSNR is over all pixels.
    """
    from impasto.export.srcnn import evaluate as measures
    from impasto.export.srcnn.photos import held_out_photos, read_photos
    from impasto.export.srcnn.publish import exported_upscaler

    measured = held_out_photos() if photos is None else list(read_photos(photos))
    with exported_upscaler(models, version) as upscale:
        scores = measures.score_photos(measured, upscale)
    if as_json:
        click.echo(json_text([{"name": score.name, **score.as_dict()} for score in scores]))
    else:
        table = Table(title="PSNR in dB over all pixels")
        table.add_column("photo")
        for column in ("bicubic RGB", "SRCNN RGB", "gain", "bicubic Y", "SRCNN Y", "gain"):
            table.add_column(column, justify="right")
        for score in scores:
            ratios = (score.bicubic_rgb, score.srcnn_rgb, score.gain_rgb)
            luma = (score.bicubic_y, score.srcnn_y, score.gain_y)
            table.add_row(escape(printable(score.name)), *_ratios(*ratios), *_ratios(*luma))
        gains = (measures.mean_gain(scores), measures.mean_gain_y(scores))
        table.add_section()
        table.add_row("mean", "", "", _decibels(gains[0], "+.2f"), "", "", _decibels(gains[1], "+.2f"))
        Console().print(table)
    if require_gain is not None:
        measures.require_gain(scores, require_gain)


def _ratios(bicubic: float, srcnn: float, gain: float) -> tuple[str, str, str]:
    return _decibels(bicubic, ".2f"), _decibels(srcnn, ".2f"), _decibels(gain, "+.2f")


def _decibels(value: float, form: str) -> str:
    return format(value, form) if math.isfinite(value) else "none"
