"""`impasto status`: whether the server, or a model on it, is ready."""

from __future__ import annotations

import click

from impasto.client.cli import exit_codes
from impasto.client.cli.options import Common, common_options
from impasto.client.cli.output import print_json, print_table
from impasto.client.errors import ModelNotFound
from impasto.client.metadata import State, VersionStatus
from impasto.client.signatures import MODELS

Found = tuple[str, tuple[VersionStatus, ...]]


@click.command(short_help="Tell whether the server, or a model on it, is ready.")
@click.argument("model", required=False)
@common_options
def status(*, common: Common, model: str | None) -> int:
    """Tell whether the server is ready or, with MODEL, whether a version of it can be called.

    Exits with 0 if so, 3 if no server answers, 4 if the model has no version that can be called. A script can wait with
    it; --quiet prints nothing.
    """
    names = [model] if model else list(MODELS)
    with common.connect() as client:
        found: list[Found] = []
        for name in names:
            try:
                found.append((name, client.status(name)))
            except ModelNotFound:
                found.append((name, ()))
    ready = [name for name, versions in found if any(v.state is State.AVAILABLE for v in versions)]
    if common.as_json:
        print_json(
            {
                "server": client.address,
                "ready": ready,
                "models": {
                    name: [{"version": v.version, "state": v.state.name, "error": v.error} for v in versions]
                    for name, versions in found
                },
            }
        )
    elif not common.quiet:
        _show(client.address, model, found, ready)
    if model and not ready:
        click.echo(f"impasto: {model} cannot be called at {client.address}", err=True)
        return exit_codes.REFUSED
    return exit_codes.DONE


def _show(address: str, model: str | None, found: list[Found], ready: list[str]) -> None:
    if model is None:
        none = "none of " + ", ".join(name for name, _ in found)
        click.echo(f"{address} answers; ready: {', '.join(ready) or none}")
        return
    rows = [(str(v.version), v.state.name, v.error) for _, versions in found for v in versions]
    if rows:
        print_table(("VERSION", "STATE", "ERROR"), rows)
