"""The options of `impasto-serving config`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from impasto.serving.rollout.options import NO_LOAD, PATH, Command, with_options


@dataclass(frozen=True, kw_only=True)
class ConfigOptions:
    """The options of `config`; their help describes each."""

    models: Path
    out: Path
    base_path: str
    only: tuple[str, ...]
    latest: int
    pin: bool
    stable: dict[str, int]
    canary: dict[str, int]
    tls_cert: Path | None
    tls_key: Path | None
    tls_client_ca: Path | None
    no_load: bool
    force: bool


def config_options(command: Callable[[ConfigOptions], None]) -> Callable[..., None]:
    """Give a command the options of ConfigOptions; it receives them as one value."""

    @with_options(*_CONFIG_OPTIONS)
    @functools.wraps(command)
    def wrapped(**values: Any) -> None:
        command(ConfigOptions(**values))

    return wrapped


def _model_version(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, int]:
    """Parse MODEL=VERSION, given any number of times."""
    found = {}
    for value in values:
        model, _, version = value.partition("=")
        if not model or not (version.isascii() and version.isdigit()):
            raise click.BadParameter(f"{value!r} is not MODEL=VERSION, such as srcnn=2")
        found[model] = int(version)
    return found


def _file(name: str, text: str) -> Callable[[Command], Command]:
    return click.option(name, type=PATH, metavar="FILE", help=text)


_CONFIG_OPTIONS: Final = (
    click.option(
        "--models",
        type=PATH,
        default=Path("models"),
        show_default=True,
        help="The repository: <models>/<name>/<version>/saved_model.pb.",
    ),
    click.option(
        "--out",
        type=PATH,
        required=True,
        metavar="DIR",
        help="The folder to write to; it is made if it does not exist.",
    ),
    click.option(
        "--base-path",
        default="/models",
        show_default=True,
        metavar="DIR",
        help="Where the server finds the repository: a path in its container, or gs://bucket/models.",
    ),
    click.option("--only", multiple=True, metavar="MODEL", help="List this model only; may be repeated."),
    click.option(
        "--latest",
        type=click.IntRange(min=1),
        default=1,
        show_default=True,
        metavar="N",
        help="Serve the newest N versions of each model as they are exported.",
    ),
    click.option(
        "--pin",
        is_flag=True,
        help="Serve the present newest version under the label stable; later ones by `promote` only.",
    ),
    click.option(
        "--stable",
        multiple=True,
        callback=_model_version,
        metavar="MODEL=VERSION",
        help="Pin this version as stable.",
    ),
    click.option(
        "--canary",
        multiple=True,
        callback=_model_version,
        metavar="MODEL=VERSION",
        help="Serve this version as well, under the label canary.",
    ),
    _file("--tls-cert", "The server's certificate, PEM."),
    _file("--tls-key", "The key of the certificate, PEM."),
    _file("--tls-client-ca", "The CA of the clients' certificates, PEM: clients then need one."),
    NO_LOAD,
    click.option("--force", is_flag=True, help="Replace a models.config that has labels."),
)
