"""`impasto-serving promote`, `rollback` and `reload`: change what running servers serve, and their file."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import click
from tensorflow_serving.config import model_server_config_pb2 as config_pb2

from impasto.client.addresses import ADDRESS_VARIABLE, DEFAULT_ADDRESS
from impasto.client.cli.options import with_tls
from impasto.client.errors import ImpastoError
from impasto.client.tls import TlsOptions
from impasto.serving.config_command import COMMENT
from impasto.serving.errors import ConfigError, LocalServerError, StatusError
from impasto.serving.fleet import Fleet
from impasto.serving.model_config import models_of, validate
from impasto.serving.rollout import Step, promotion
from impasto.serving.rollout import rollback as rollback_steps
from impasto.serving.server_files import STABLE
from impasto.serving.text_files import read_text_file, write_text_file

_LABEL: Final = click.option("--label", default=STABLE, show_default=True, help="The label to move.")
_MODEL: Final = click.argument("model")
_DROP_OLD: Final = click.option(
    "--drop-old", is_flag=True, help="Unload the version that had the label, unless it has another."
)


def _rollout_options(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the configuration file and the servers; it receives them as `path` and `fleet`."""

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
        type=click.FloatRange(min=0, min_open=True),
        default=600.0,
        show_default=True,
        metavar="SECONDS",
        help="How long a version may take to load.",
    )
    @with_tls
    @functools.wraps(command)
    def wrapped(
        *, path: Path, servers: tuple[str, ...], timeout: float, tls: TlsOptions | None, **rest: Any
    ) -> None:
        try:
            with Fleet(servers or _default_servers(), tls=tls, timeout=timeout) as fleet:
                command(path=path, fleet=fleet, **rest)
        except (ImpastoError, LocalServerError) as error:
            raise click.ClickException(str(error)) from error

    return wrapped


@click.command()
@_MODEL
@click.argument("version", type=click.IntRange(min=0))
@_LABEL
@click.option(
    "--drop-old", is_flag=True, help="Unload the version that had the label, unless it has another."
)
@_rollout_options
def promote(*, model: str, version: int, label: str, drop_old: bool, path: Path, fleet: Fleet) -> None:
    """Give a label to VERSION of MODEL, with no request lost.

    First VERSION is loaded beside what is served, on every server. Once it can be called everywhere the label
    moves. The version that had the label stays loaded, for `rollback`. If a step fails, servers and file go back
    to where they were.

    With --label canary the version is tried by clients that ask for the label canary. Requests that name neither
    version nor label get the newest version that is loaded, so let clients ask for stable.
    """
    present = _read(path)
    steps = promotion(
        present, model, version, label=label, available=fleet.available(model), drop_old=drop_old
    )
    _carry_out(path, fleet, model, present, steps)


@click.command()
@_MODEL
@_LABEL
@_DROP_OLD
@_rollout_options
def rollback(*, model: str, label: str, drop_old: bool, path: Path, fleet: Fleet) -> None:
    """Give a label of MODEL back to the version that had it before.

    That version is still loaded unless it was dropped, so this is a matter of a moment. The version that is left
    stays loaded, too, and still answers requests that name neither version nor label if it is the newest;
    --drop-old unloads it.
    """
    present = _read(path)
    steps = rollback_steps(present, model, label=label, available=fleet.available(model), drop_old=drop_old)
    _carry_out(path, fleet, model, present, steps)


@click.command()
@_rollout_options
def reload(*, path: Path, fleet: Fleet) -> None:
    """Put a models.config that was edited in force on running servers, without a restart."""
    config = _read(path)
    fleet.reload(config)
    click.echo(f"In force: {', '.join(model.name for model in models_of(config)) or 'no models'}")


def _read(path: Path) -> config_pb2.ModelServerConfig:
    config = read_text_file(path, config_pb2.ModelServerConfig())
    try:
        validate(config)
    except StatusError as error:
        raise ConfigError(f"{path}: {error.message}") from error
    return config


def _carry_out(
    path: Path, fleet: Fleet, model: str, present: config_pb2.ModelServerConfig, steps: Sequence[Step]
) -> None:
    """One step after the other; the file first, for a server that polls it would undo what it does not say."""
    try:
        for step in steps:
            failed_before = fleet.failed(model)
            write_text_file(path, step.config, comment=COMMENT)
            fleet.reload(step.config)
            fleet.await_available(model, step.awaits, failed_before=failed_before)
            click.echo(step.what)
    except BaseException as error:
        click.echo("Going back to the configuration as it was.", err=True)
        write_text_file(path, present, comment=COMMENT)
        try:
            fleet.reload(present)
        except (ImpastoError, LocalServerError) as again:
            click.echo(f"{path} is as it was, but not every server is: {again}. Try `reload`.", err=True)
        raise error


def _default_servers() -> list[str]:
    return (os.environ.get(ADDRESS_VARIABLE) or DEFAULT_ADDRESS).split(",")
