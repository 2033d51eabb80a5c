"""The `impasto` command line: a file for each command, or two that have one subject."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Generator, Sequence
from importlib import import_module
from typing import Any, Final

import click

from impasto.client import ImpastoError, PictureWarning
from impasto.client.cli import exit_codes
from impasto.client.cli.output import (
    ReaderGone,
    give_up_output,
    note,
    noted_logs,
    replace_closed,
    verbose_option,
)
from impasto.client.texts import printable_message

__all__ = ["impasto", "run"]

_EPILOG: Final = """
\b
Exit codes:
  0    everything was done
  1    some pictures, or checks, failed; the others are done
  2    the command line is wrong, or there is nothing to do
  3    the server cannot be reached, or does not answer in time
  4    the model is not there, or the server refused the call
  130  interrupted by Ctrl-C; 143 by SIGTERM, 129 by SIGHUP, with the same effect
  141  whoever read the results went away
"""

_COMMANDS: Final = {
    "upscale": "upscale",
    "stylize": "stylize",
    "dream": "dream",
    "transfer": "transfer",
    "predict": "predict",
    "models": "models",
    "status": "models",
    "check": "check",
    "bench": "bench",
    "studio": "studio",
    "config": "config",
    "completion": "config",
}
"""The module of each command, where it has the command's name."""


class _Commands(click.Group):
    """Imports a command's module when the command is called: the others would take longer than small pictures do."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"impasto.client.cli.{_COMMANDS[cmd_name]}"), cmd_name)
        return command


@click.group(
    cls=_Commands,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@verbose_option
@click.version_option(package_name="impasto-client", prog_name="impasto")
def impasto() -> None:
    """Drive image models on a TensorFlow Serving server.

    The server's address comes from --server, else from the environment's IMPASTO_SERVER, else from the configuration
    file, else it is localhost:8500; `impasto config` shows all settings and where they come from.
    Results go to standard output, progress and messages to standard error.
    """


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code; what went wrong is said on standard error."""
    replace_closed()
    try:
        with _noted_warnings(), noted_logs():
            code = impasto.main(list(arguments), prog_name="impasto", standalone_mode=False)
    except click.UsageError as error:
        # It may hold any word. Readers have it as final.
        vars(error)["message"] = printable_message(error.message)
        shown = io.StringIO()
        error.show(shown)  # with the command's usage
        for line in shown.getvalue().rstrip().splitlines():
            note(line)
        return exit_codes.USAGE
    except click.ClickException as error:
        note(f"impasto: {error.message}")
        return exit_codes.USAGE
    except (click.Abort, KeyboardInterrupt):
        note("impasto: interrupted")
        return exit_codes.INTERRUPTED
    except ImpastoError as error:
        note(f"impasto: {error}")
        return exit_codes.of(error)
    except ReaderGone:
        return exit_codes.READER_GONE
    except OSError as error:
        if error.filename is None:
            # Standard output's: click's own words, such as a help text, still wait there.
            give_up_output()
        note(f"impasto: {_words(error)}")
        return exit_codes.FAILED
    return code if isinstance(code, int) else exit_codes.DONE


@contextlib.contextmanager
def _noted_warnings() -> Generator[None, None, None]:
    """Show what was left out of pictures as lines like all others; once for each picture and thing."""
    with warnings.catch_warnings():
        warnings.simplefilter("default", PictureWarning)
        otherwise = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            if issubclass(category, PictureWarning):
                note(f"impasto: {message}")
            else:
                otherwise(message, category, *where, **more)

        warnings.showwarning = show
        yield


def _words(error: OSError) -> str:
    reason = error.strerror or str(error)
    return reason if error.filename is None else f"{click.format_filename(error.filename)}: {reason}"
