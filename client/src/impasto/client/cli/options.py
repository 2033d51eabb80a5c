"""The options that every command has, and the types of values that several have."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import click

from impasto.client import Client, Settings
from impasto.client._jobs.values import Range
from impasto.client.cli.bars import Waits
from impasto.client.cli.output import verbose_option
from impasto.client.settings import addresses, sources, values


class Number(click.FloatRange):
    """A number in a range. Unlike click's own it refuses nan, which compares as in every range."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number. BadParameter if it is none of the range."""
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


def number(allowed: Range) -> click.ParamType[Any]:
    """The type of an option that gives a job's field."""
    if allowed.whole:
        return click.IntRange(int(allowed.least), int(allowed.most))
    return Number(allowed.least, allowed.most)


def layers(
    _context: click.Context, _option: click.Parameter, value: str | None
) -> list[tuple[str, float]] | None:
    """An option's `mixed3,mixed5=0.5` as pairs of name and weight."""
    if value is None:
        return None
    pairs: list[tuple[str, float]] = []
    for entry in value.split(","):
        name, equals, weight = (part.strip() for part in entry.partition("="))
        if not name:
            raise click.BadParameter(f"{value!r} is not a list such as mixed3,mixed5=0.5")
        pairs.append((name, _layer_weight(weight, name) if equals else 1.0))
    return pairs


def _layer_weight(text: str, name: str) -> float:
    with contextlib.suppress(ValueError):
        if math.isfinite(weight := float(text)):
            return weight
    raise click.BadParameter(f"{text!r}, the weight of {name}, is not a number")


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
    given: sources.Layer = field(default_factory=dict[str, sources.Given])
    config: str | None = None

    @functools.cached_property
    def waits(self) -> Waits:
        """The waits of the command's jobs."""
        return Waits(quiet=self.quiet)

    def found(self) -> dict[str, sources.Given]:
        """Return what the options, the environment and the configuration file say. Raises SettingsError."""
        return sources.merged(sources.ambient(config=self.config), self.given)

    def settings(self) -> Settings:
        """The settings in force. Raises SettingsError."""
        return Settings(**sources.fields(self.found()))

    def connect(self) -> Client:
        """A client with them. Raises SettingsError."""
        return Client(settings=self.settings(), on_wait=self.waits)


def common_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of the server and of the output; it receives them as `common`."""

    @click.option(
        "--server",
        metavar="HOST:PORT",
        help="The server; replicas with commas between.  "
        f"[default: {addresses.ADDRESS_VARIABLE}, else the configuration file's, else {addresses.DEFAULT_ADDRESS}]",
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
    @verbose_option
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
                "tls.enabled": tls,
                "tls.ca": tls_ca,
                "tls.certificate": tls_cert,
                "tls.key": tls_key,
                "tls.server_name": tls_server_name,
            }
        )
        return command(common=Common(as_json, quiet, given, config), **rest)

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


def _given(chosen: Mapping[str, object]) -> dict[str, sources.Given]:
    """The values of options as a layer of settings; None and an empty text are not given."""
    options = {name: values.BY_NAME[name].flag or f"--{name.replace('_', '-')}" for name in chosen}
    return {
        name: sources.Given(values.BY_NAME[name].checked(value, where=options[name]), options[name])
        for name, value in chosen.items()
        if value is not None and value != ""
    }
