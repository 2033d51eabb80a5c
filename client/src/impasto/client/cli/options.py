"""The options that every command has."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import click

from impasto.client import Client, Settings
from impasto.client.cli.bars import Waits
from impasto.client.settings.addresses import ADDRESS_VARIABLE, DEFAULT_ADDRESS
from impasto.client.settings.sources import Given, Layer, ambient, fields, from_environment, merged
from impasto.client.settings.values import BY_NAME


class Number(click.FloatRange):
    """A number in a range. Unlike click's own it refuses nan, which compares as in every range."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """As click's types do. BadParameter if it is no number of the range."""
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


_Values = Mapping[str, object]


@dataclass(frozen=True)
class Common:
    """The values of the common options.

    Attributes:
        as_json: results as JSON.
        quiet: no progress and no summary; errors are still shown.
        given: the settings that options give.
        config: the configuration file; None for the environment's or the person's own.
    """

    as_json: bool
    quiet: bool
    given: Layer = field(default_factory=dict[str, Given])
    config: str | None = None

    @functools.cached_property
    def waits(self) -> Waits:
        """The waits of the command's jobs."""
        return Waits(quiet=self.quiet)

    def found(self) -> dict[str, Given]:
        """What the options, the environment and the configuration file say. Raises SettingsError."""
        return merged(ambient(config=self.config), self.given)

    def settings(self) -> Settings:
        """The settings in force. Raises SettingsError."""
        return Settings(**fields(self.found()))

    def connect(self) -> Client:
        """A client with them. Raises SettingsError."""
        return Client(settings=self.settings(), on_wait=self.waits)


def common_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of the server and of the output; it receives them as `common`."""

    @click.option(
        "--server",
        metavar="HOST:PORT",
        help="The server; replicas with commas between.  "
        f"[default: {ADDRESS_VARIABLE}, else the configuration file's, else {DEFAULT_ADDRESS}]",
    )
    @click.option(
        "--timeout",
        type=Number(min=0, min_open=True),
        metavar="SECONDS",
        help="How long each call to the server may take.  [default: by what it does; see `impasto config`]",
    )
    @click.option("--config", metavar="FILE", help="The configuration file.  [default: see `impasto config`]")
    @click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
    @click.option("-q", "--quiet", is_flag=True, help="Show no progress and no summary, only errors.")
    @_tls_options
    @functools.wraps(command)
    def wrapped(
        *,
        server: str | None,
        timeout: float | None,
        config: str | None,
        as_json: bool,
        quiet: bool,
        tls: bool | None,
        tls_ca: str | None,
        tls_cert: str | None,
        tls_key: str | None,
        tls_server_name: str | None,
        max_pixels: int | None = None,
        **rest: Any,
    ) -> Any:
        given = _given(
            {
                "address": server,
                "timeout": timeout,
                "max_pixels": max_pixels,
                **_tls(tls, tls_ca, tls_cert, tls_key, tls_server_name),
            }
        )
        return command(common=Common(as_json, quiet, given, config), **rest)

    return wrapped


def with_tls(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of TLS; it receives them, with what the environment says, as `tls`."""

    @_tls_options
    @functools.wraps(command)
    def wrapped(
        *,
        tls: bool | None,
        tls_ca: str | None,
        tls_cert: str | None,
        tls_key: str | None,
        tls_server_name: str | None,
        **rest: Any,
    ) -> Any:
        given = _given(_tls(tls, tls_ca, tls_cert, tls_key, tls_server_name))
        return command(tls=fields(merged(from_environment(), given)).get("tls"), **rest)

    return wrapped


def _tls_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options `--tls` and `--tls-...`."""
    for option in reversed(
        (
            click.option("--tls/--no-tls", default=None, help="TLS: with, or without, whatever else is set."),
            click.option(
                "--tls-ca", metavar="FILE", help="TLS: the CA that signed the server's certificate, PEM."
            ),
            click.option("--tls-cert", metavar="FILE", help="TLS: this client's certificate, PEM."),
            click.option("--tls-key", metavar="FILE", help="TLS: the key of --tls-cert, PEM."),
            click.option(
                "--tls-server-name",
                metavar="NAME",
                help="TLS: the name on the server's certificate, if it is not that of the address.",
            ),
        )
    ):
        command = option(command)
    return command


def _tls(
    enabled: bool | None, ca: str | None, cert: str | None, key: str | None, name: str | None
) -> _Values:
    return {
        "tls.enabled": enabled,
        "tls.ca": ca,
        "tls.certificate": cert,
        "tls.key": key,
        "tls.server_name": name,
    }


def _given(values: _Values) -> dict[str, Given]:
    """The values of options as a layer of settings; None and an empty text are not given."""
    options = {name: BY_NAME[name].flag or f"--{name.replace('_', '-')}" for name in values}
    return {
        name: Given(BY_NAME[name].checked(value, where=options[name]), options[name])
        for name, value in values.items()
        if value is not None and value != ""
    }
