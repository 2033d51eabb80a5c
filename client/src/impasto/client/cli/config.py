"""`impasto config`, the settings in force, and `impasto completion`: how the command itself is set up."""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

import click
from click.shell_completion import get_completion_class

from impasto.client import Settings
from impasto.client.cli.options import Common, common_options
from impasto.client.cli.output import note, print_json, print_line, print_table
from impasto.client.settings import forms, sources, values

_HIDDEN: Final = "***"


@click.command(short_help="Show the settings in force, and where each comes from.")
@common_options
def config(*, common: Common) -> None:
    """Show the settings in force, and where each comes from: an option, the environment, the file or the default.

    Nothing is sent to the server. Tokens and the values of metadata are not shown. A file that holds a secret and that
    other users may read is named on standard error.
    """
    found = common.found()
    settings = Settings(**sources.fields(found))
    path = sources.config_file(common.config)
    entries = [
        (setting, _shown(setting, values.value_of(settings, setting)), _source(found, setting))
        for setting in values.SETTINGS
        if setting.name != "timeout"  # it stands for those that follow it
    ]
    if not common.quiet:
        for file in _open_to_others(found, settings):
            note(
                f"impasto: {file} holds a secret, and other users may read it; to keep them out: chmod 600 {file}"
            )
    if common.as_json:
        print_json(
            {
                "file": None if path is None else str(path),
                "settings": {
                    setting.key: {"value": value, "source": source, "variable": setting.variable}
                    for setting, value, source in entries
                },
            }
        )
        return
    rows = [(setting.key, _words(value), source, setting.variable) for setting, value, source in entries]
    print_table(("SETTING", "VALUE", "FROM", "VARIABLE"), rows)
    if not common.quiet:
        if path is not None:
            print_line(f"\nThe configuration file is {path}.")
        elif (own := sources.own_file()) is not None:
            print_line(f"\nThere is no configuration file; {own} would be read.")


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


def _open_to_others(found: Mapping[str, sources.Given], settings: Settings) -> list[str]:
    """The files with a token, with metadata or with a TLS key that users other than their own may read."""
    secret = [found[setting.name] for setting in values.SETTINGS if setting.secret and setting.name in found]
    files = [given.source for given in secret if given.key]
    if settings.tls is not None and settings.tls.key is not None:
        files.append(str(settings.tls.key))
    return [file for file in dict.fromkeys(files) if _others_may_read(file)]


def _others_may_read(file: str) -> bool:
    try:
        return os.name == "posix" and os.stat(file).st_mode & (stat.S_IRGRP | stat.S_IROTH) != 0  # noqa: PTH116
    except OSError:  # what is wrong with it is said by what needs it
        return False


def _shown(setting: forms.Setting, value: Any) -> Any:
    """A value as JSON takes it, without what must not be seen."""
    if isinstance(value, Mapping):
        return dict.fromkeys(cast(Mapping[str, Any], value), _HIDDEN)
    if setting.secret and value is not None:
        return _HIDDEN
    if isinstance(value, float) and math.isinf(value):
        return "inf"  # JSON has no number for it
    return str(value) if isinstance(value, Path) else value


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        shown = cast(Mapping[str, str], value)
        return ", ".join(f"{key}={hidden}" for key, hidden in shown.items()) or "-"
    if isinstance(value, bool):
        return str(value).lower()
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _source(found: Mapping[str, sources.Given], setting: forms.Setting) -> str:
    given = found.get(setting.name)
    return "default" if given is None else given.source
