"""The `impasto-serving` command. A subcommand is a module, imported when it is used."""

from __future__ import annotations

import importlib
from typing import Final

import click

COMMANDS: Final = {
    "config": "impasto.serving.config_command:config",
    "local": "impasto.serving.local_command:local",
    "promote": "impasto.serving.rollout_command:promote",
    "reload": "impasto.serving.rollout_command:reload",
    "rollback": "impasto.serving.rollout_command:rollback",
}
"""Where each subcommand lies, as `module:attribute`."""


class LazyGroup(click.Group):
    """A group that imports the module of a subcommand when the subcommand is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all subcommands."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand of that name; None if there is none."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="impasto-serving")
def main() -> None:
    """Serve Impasto's models with TensorFlow Serving's gRPC API, here or on real servers."""
