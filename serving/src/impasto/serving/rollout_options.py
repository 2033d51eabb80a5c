"""The options of the commands that change running servers, and the objects that they stand for."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from impasto.client.cli.numbers import Number
from impasto.client.cli.options import with_tls
from impasto.client.errors import ImpastoError
from impasto.client.settings.addresses import ADDRESS_VARIABLE, DEFAULT_ADDRESS
from impasto.client.settings.tls import TlsOptions
from impasto.serving.configuration_file import ConfigurationFile
from impasto.serving.errors import LocalServerError
from impasto.serving.fleet import Fleet
from impasto.serving.interruptions import Interruptions
from impasto.serving.rollout_checks import RolloutCheck
from impasto.serving.rollout_lock import rollout_lock
from impasto.serving.version_checks import Check
from impasto.serving.whereabouts import MODELS_VARIABLE, Whereabouts

_LONGEST_TIMEOUT: Final = 86_400.0
"""A day. A reload always has a deadline."""


@dataclass(frozen=True)
class RolloutOptions:
    """The command line's words about the servers and their configuration file.

    Attributes:
        path: the configuration file.
        servers: the addresses of the servers.
        timeout: seconds for each thing that is waited for.
        tls: for all servers; None for plain text.
        check: what is checked and how, without the servers.
        models: the repository on this machine, if the user named it.
        unchecked: send models that are nowhere here, too.
    """

    path: Path
    servers: tuple[str, ...]
    timeout: float
    tls: TlsOptions | None
    check: Check
    models: Path | None
    unchecked: bool

    @contextmanager
    def rollout(self, what: str) -> Iterator[Rollout]:
        """Lock the file, read it and connect, until the block ends. The errors are those of what it does."""
        with (
            Interruptions() as interruptions,
            Fleet(self.servers, tls=self.tls, timeout=self.timeout) as fleet,
            rollout_lock(self.path, what=what, timeout=self.timeout, say=warn),
        ):
            file = ConfigurationFile(self.path)
            where = Whereabouts(self.path, self.models)
            check = RolloutCheck(fleet=fleet, whereabouts=where, check=self.check, unchecked=self.unchecked)
            yield Rollout(file=file, fleet=fleet, check=check, interruptions=interruptions)


@dataclass(frozen=True)
class Rollout:
    """A rollout that holds the lock: the file, the servers, the checks, and the signals that would end it."""

    file: ConfigurationFile
    fleet: Fleet
    check: RolloutCheck
    interruptions: Interruptions


def say(text: str) -> None:
    """Print a line; a terminal or a pipe that has gone does not stop a rollout half way."""
    with contextlib.suppress(OSError):
        click.echo(text)


def warn(text: str) -> None:
    """Print a line on standard error, in the same way."""
    with contextlib.suppress(OSError):
        click.echo(text, err=True)


def no_load_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --no-load, as `no_load`."""
    return click.option(
        "--no-load",
        is_flag=True,
        help="Compare a version's files with its manifest only, instead of also loading it here and calling it once.",
    )(command)


def rollout_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the configuration file, the servers and the checks; it receives them as `options`."""

    @click.option(
        "--config",
        "path",
        type=click.Path(path_type=Path),
        required=True,
        metavar="FILE",
        help="The models.config that the servers start with.",
    )
    @click.option(
        "--server",
        "servers",
        multiple=True,
        metavar="HOST:PORT",
        help=f"A running server; repeat it for each replica.  [default: {ADDRESS_VARIABLE} or {DEFAULT_ADDRESS}]",
    )
    @click.option(
        "--timeout",
        type=Number(min=0, min_open=True, max=_LONGEST_TIMEOUT),
        default=600.0,
        show_default=True,
        metavar="SECONDS",
        help="How long a version may take to load, here and on a server, and how long to wait for another rollout.",
    )
    @click.option(
        "--models",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Where the servers' repository is on this machine, to check versions there.  [default: the base path "
        f"if it is here, else what compose.yaml mounts: {MODELS_VARIABLE} or ../models, from the folder above the "
        "configuration's]",
    )
    @no_load_option
    @click.option(
        "--unchecked",
        is_flag=True,
        help="Send a model that not every server has even if it is nowhere here to be checked.",
    )
    @with_tls
    @functools.wraps(command)
    def wrapped(
        *,
        path: Path,
        servers: tuple[str, ...],
        timeout: float,
        models: Path | None,
        no_load: bool,
        unchecked: bool,
        tls: TlsOptions | None,
        **rest: Any,
    ) -> None:
        options = RolloutOptions(
            path=path,
            servers=servers or _default_servers(),
            timeout=timeout,
            tls=tls,
            check=Check(load=not no_load, timeout=timeout, say=warn),
            models=models,
            unchecked=unchecked,
        )
        try:
            command(options=options, **rest)
        except (ImpastoError, LocalServerError) as error:
            raise click.ClickException(str(error)) from error

    return wrapped


def _default_servers() -> tuple[str, ...]:
    return tuple((os.environ.get(ADDRESS_VARIABLE) or DEFAULT_ADDRESS).split(","))
