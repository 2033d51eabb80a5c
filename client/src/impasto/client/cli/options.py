"""The options that every command has."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from impasto.client.channel import ADDRESS_VARIABLE, DEFAULT_ADDRESS
from impasto.client.client import DEFAULT_TIMEOUT, Client


@dataclass(frozen=True)
class Common:
    """The values of the common options.

    Attributes:
        server: the address; None for the environment's or the default.
        timeout: seconds for each call.
        as_json: results as JSON.
        quiet: no progress and no summary; errors are still shown.
    """

    server: str | None
    timeout: float
    as_json: bool
    quiet: bool

    def connect(self) -> Client:
        """A client for these options."""
        return Client(self.server, timeout=self.timeout)


def common_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --server, --timeout, --json and --quiet; it receives them as `common`."""

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
    @functools.wraps(command)
    def wrapped(*, server: str | None, timeout: float, as_json: bool, quiet: bool, **rest: Any) -> Any:
        return command(common=Common(server, timeout, as_json, quiet), **rest)

    return wrapped
