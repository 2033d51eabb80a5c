"""`impasto-export srcnn`: train, save, evaluate."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click

from impasto.client.texts import printable
from impasto.export.cli.evaluating import Evaluation, evaluation_options
from impasto.export.cli.options import ALLOW_HOST_OPS, MODELS, TensorFlowCommand, show_version
from impasto.export.cli.upscaler import HELD_OUT, PHOTOS, TRAINING_SEED, TrainingConsole
from impasto.export.srcnn.presets import PRESETS

_CHECKPOINT = click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build/srcnn"),
    show_default=True,
    help="Folder of the training's checkpoints.",
)


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

    from impasto.export.srcnn.training import Epoch, Trainer, collect
    from impasto.export.upscale import photos as pictures

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
@evaluation_options
def evaluate(models: Path, version: int | None, **asked: Any) -> None:
    """Measure an exported version against bicubic interpolation.

    Each photo is halved with Pillow's antialiased bicubic filter, doubled again, and compared with the original: PSNR
    over all pixels, and SSIM of luma. `impasto-export upscaler evaluate` shows it beside others.
    """
    Evaluation(models=models, chosen=[("srcnn", version)], **asked).run()
