"""`impasto completion`: let the shell complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from impasto.client.cli.output import print_line


@click.command(short_help="Print a script that lets the shell complete.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a script that lets a shell complete commands, options and file names.

    \b
      bash:  echo 'eval "$(impasto completion bash)"' >> ~/.bashrc
      zsh:   echo 'eval "$(impasto completion zsh)"' >> ~/.zshrc
      fish:  impasto completion fish > ~/.config/fish/completions/impasto.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None  # click knows these three
    print_line(kind(context.find_root().command, {}, "impasto", "_IMPASTO_COMPLETE").source())
