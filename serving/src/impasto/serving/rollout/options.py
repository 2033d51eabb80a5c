"""The options and the output of the commands that change running servers."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from impasto.client.texts import printable_message

if TYPE_CHECKING:
    from impasto.client.settings.tls import TlsOptions

LOAD_SECONDS: Final = 600.0
"""The default for the seconds that a version may take to load, and that a command waits for another rollout."""

_LONGEST_TIMEOUT: Final = 86_400.0
"""A day. A reload always has a deadline."""

Command = Callable[..., Any]

PATH: Final = click.Path(path_type=Path)


@dataclass(frozen=True, kw_only=True)
class RolloutOptions:
    """The options of `promote`, `rollback` and `reload`.

    Attributes:
        path: the configuration file of the servers.
        servers: the addresses of the servers; if empty, the client's default.
        timeout: the seconds for each wait.
        tls: for all servers; None for plain text.
        models: the repository on this machine, if the user named it.
        no_load: compare the files of versions only, instead of loading them here.
        unchecked: send models that are not on this machine, too.
    """

    path: Path
    servers: tuple[str, ...]
    timeout: float
    tls: TlsOptions | None
    models: Path | None
    no_load: bool
    unchecked: bool


def say(text: str) -> None:
    """Print a line; a rollout goes on without a terminal or pipe that has gone."""
    with contextlib.suppress(OSError):
        click.echo(printable_message(text))


def warn(text: str) -> None:
    """Print a line on standard error, in the same way."""
    with contextlib.suppress(OSError):
        click.echo(printable_message(text), err=True)


def rollout_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of RolloutOptions; it receives them as `options`."""

    @with_options(*_ROLLOUT_OPTIONS, *_TLS_OPTIONS)
    @functools.wraps(command)
    def wrapped(**values: Any) -> None:
        own = {name: values.pop(name) for name in RolloutOptions.__dataclass_fields__ if name != "tls"}
        tls = _tls({name: values.pop(name) for name in ("tls", *_TLS_FILES)})
        command(options=RolloutOptions(**own, tls=tls), **values)

    return wrapped


def with_options(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Return a decorator that gives a command these options, in this order."""
    return lambda command: functools.reduce(
        lambda wrapped, option: option(wrapped), reversed(options), command
    )


def _tls(values: dict[str, Any]) -> TlsOptions | None:
    """Return the TLS that the command line and the environment ask for.

    A file or a name switches TLS on, except beside `--no-tls`; IMPASTO_TLS=false overrules other variables only.
    """
    enabled: bool | None = values.pop("tls")
    files = {field: values[name] for name, field in _TLS_FILES.items() if values[name]}
    sources, source_of = click.core.ParameterSource, click.get_current_context().get_parameter_source
    is_given_here = any(source_of(name) is sources.COMMANDLINE for name in _TLS_FILES)
    if enabled is None or (is_given_here and source_of("tls") is sources.ENVIRONMENT):
        enabled = bool(files)
    if not enabled:
        return None
    from impasto.client.settings.tls import TlsOptions  # the import of the client takes a moment

    return TlsOptions(**files)


def _seconds(_context: click.Context, _parameter: click.Parameter, value: float) -> float:
    if math.isnan(value) or not 0 < value <= _LONGEST_TIMEOUT:
        raise click.BadParameter(
            f"{value:g} is not a number of seconds above 0 and at most {_LONGEST_TIMEOUT:g}"
        )
    return value


NO_LOAD: Final = click.option(
    "--no-load",
    is_flag=True,
    help="Compare a version's files with its manifest only, instead of also loading it here and calling it once.",
)

_ROLLOUT_OPTIONS: Final = (
    click.option(
        "--config",
        "path",
        type=PATH,
        required=True,
        metavar="FILE",
        help="The models.config that the servers start with.",
    ),
    click.option(
        "--server",
        "servers",
        multiple=True,
        metavar="HOST:PORT",
        help="A running server; repeat it for each replica.  [default: IMPASTO_SERVER or localhost:8500]",
    ),
    click.option(
        "--timeout",
        type=float,
        callback=_seconds,
        default=LOAD_SECONDS,
        show_default=True,
        metavar="SECONDS",
        help="How long a version may take to load, here and on a server, and how long to wait for another rollout.",
    ),
    click.option(
        "--models",
        type=PATH,
        metavar="DIR",
        help="Where the servers' repository is on this machine, to check versions there.  [default: the base path "
        "if it is here, else the folder that compose.yaml mounts: IMPASTO_MODELS or ../models, relative to the folder "
        "above the configuration's]",
    ),
    NO_LOAD,
    click.option(
        "--unchecked",
        is_flag=True,
        help="Send a model that not every server has even if it is not here to be checked.",
    ),
)

_TLS_FILES: Final = {
    "tls_ca": "ca",
    "tls_cert": "certificate",
    "tls_key": "key",
    "tls_server_name": "server_name",
}
"""The fields of TlsOptions by the names of their options."""

_TLS_OPTIONS: Final = (
    click.option(
        "--tls/--no-tls",
        default=None,
        envvar="IMPASTO_TLS",
        help="TLS: with, or without, whatever the environment says.",
    ),
    click.option(
        "--tls-ca",
        metavar="FILE",
        envvar="IMPASTO_TLS_CA",
        help="TLS: the CA that signed the server's certificate, PEM.",
    ),
    click.option(
        "--tls-cert",
        metavar="FILE",
        envvar="IMPASTO_TLS_CERT",
        help="TLS: this client's certificate, PEM.",
    ),
    click.option(
        "--tls-key", metavar="FILE", envvar="IMPASTO_TLS_KEY", help="TLS: the key of --tls-cert, PEM."
    ),
    click.option(
        "--tls-server-name",
        metavar="NAME",
        envvar="IMPASTO_TLS_SERVER_NAME",
        help="TLS: the name on the server's certificate, if it is not that of the address.",
    ),
)
"""The options of TLS towards a server, with the client's names and environment variables."""
