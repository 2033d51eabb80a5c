"""The options that every command has."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from impasto.client.channel import ADDRESS_VARIABLE, DEFAULT_ADDRESS
from impasto.client.client import DEFAULT_TIMEOUT, Client
from impasto.client.tls import (
    CA_VARIABLE,
    CERTIFICATE_VARIABLE,
    KEY_VARIABLE,
    SERVER_NAME_VARIABLE,
    TlsOptions,
    tls_options,
)


@dataclass(frozen=True)
class Common:
    """The values of the common options.

    Attributes:
        server: the address; None for the environment's or the default.
        timeout: seconds for each call.
        as_json: results as JSON.
        quiet: no progress and no summary; errors are still shown.
        tls: None for plain text.
    """

    server: str | None
    timeout: float
    as_json: bool
    quiet: bool
    tls: TlsOptions | None = None

    def connect(self) -> Client:
        """A client for these options."""
        return Client(self.server, timeout=self.timeout, tls=self.tls)


def common_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --server, --timeout, --json, --quiet and the TLS options; it receives them as `common`."""

    @click.option(
        "--server",
        metavar="HOST:PORT",
        help=f"The server; replicas with commas between.  [default: {ADDRESS_VARIABLE} or {DEFAULT_ADDRESS}]",
    )
    @click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        default=DEFAULT_TIMEOUT,
        show_default=True,
        metavar="SECONDS",
        help="How long each call to the server may take.",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
    @click.option("-q", "--quiet", is_flag=True, help="Show no progress and no summary, only errors.")
    @with_tls
    @functools.wraps(command)
    def wrapped(
        *,
        server: str | None,
        timeout: float,
        as_json: bool,
        quiet: bool,
        tls: TlsOptions | None,
        **rest: Any,
    ) -> Any:
        return command(common=Common(server, timeout, as_json, quiet, tls), **rest)

    return wrapped


def with_tls(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --tls-ca, --tls-cert, --tls-key and --tls-server-name; it receives them as `tls`."""

    @click.option(
        "--tls-ca",
        envvar=CA_VARIABLE,
        metavar="FILE",
        help="TLS: the CA that signed the server's certificate, PEM.",
    )
    @click.option(
        "--tls-cert", envvar=CERTIFICATE_VARIABLE, metavar="FILE", help="TLS: this client's certificate, PEM."
    )
    @click.option("--tls-key", envvar=KEY_VARIABLE, metavar="FILE", help="TLS: the key of --tls-cert, PEM.")
    @click.option(
        "--tls-server-name",
        envvar=SERVER_NAME_VARIABLE,
        metavar="NAME",
        help="TLS: the name on the server's certificate, if it is not that of the address.",
    )
    @functools.wraps(command)
    def wrapped(
        *,
        tls_ca: str | None,
        tls_cert: str | None,
        tls_key: str | None,
        tls_server_name: str | None,
        **rest: Any,
    ) -> Any:
        tls = tls_options(ca=tls_ca, certificate=tls_cert, key=tls_key, server_name=tls_server_name)
        return command(tls=tls, **rest)

    return wrapped
