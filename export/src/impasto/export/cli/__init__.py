"""The `impasto-export` command line."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, NoReturn

import click

from impasto.client.errors import ImpastoError
from impasto.client.texts import printable_message
from impasto.export.errors import ExportError

_COMMANDS = {
    "srcnn": ("impasto.export.cli.srcnn", "Train, save and evaluate the super-resolution model."),
    "upscaler": ("impasto.export.cli.upscaler", "Train, export and evaluate networks that enlarge pictures."),
    "stylize": ("impasto.export.cli.stylize", "Export the arbitrary stylizer."),
    "dream": ("impasto.export.cli.dream", "Export DeepDream on a network of one's choice."),
    "transfer": ("impasto.export.cli.transfer", "Export style transfer by optimisation."),
    "repository": (
        "impasto.export.cli.repository",
        "Publish any SavedModel; list, show, verify, prune and roll back versions.",
    ),
}


class LazyGroup(click.Group):
    """Imports a command's module when it is called, so that `--help` answers without loading TensorFlow."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the table."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now."""
        if cmd_name not in _COMMANDS:
            return None
        module, _ = _COMMANDS[cmd_name]
        command = getattr(import_module(module), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; the words of a wrong command line may hold the name of any file."""
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            error.message = printable_message(error.message)  # type: ignore[misc]  # final for readers
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by the table's own summaries, which needs no import."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in _COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="impasto-export")
def cli() -> None:
    """Train and export models into a versioned repository that TensorFlow Serving serves."""


def main() -> None:
    """Run the command line; an error that the user can act on is one line and exit status 1."""
    try:
        cli()
    except (ExportError, ImpastoError) as error:
        _fail(str(error))
    except OSError as error:
        # A full disk, a folder that may not be written: the system's own words say what to do.
        _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))


def _fail(message: str) -> NoReturn:
    click.echo(f"{click.style('error:', fg='red', bold=True)} {printable_message(message)}", err=True)
    sys.exit(1)
