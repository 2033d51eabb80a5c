"""`impasto status`: whether the server, or a model on it, is ready."""

from __future__ import annotations

import click

from impasto.client.cli import exit_codes
from impasto.client.cli.options import Common, common_options
from impasto.client.cli.output import print_json, print_table
from impasto.client.cli.streams import note, print_line
from impasto.client.errors import ModelNotFound
from impasto.client.metadata import State, VersionStatus
from impasto.client.signatures import MODELS

Found = tuple[str, tuple[VersionStatus, ...]]


@click.command(short_help="Tell whether the server, or a model on it, is ready.")
@click.argument("model", required=False)
@common_options
def status(*, common: Common, model: str | None) -> int:
    """Tell whether the server is ready or, with MODEL, whether a version of it can be called.

    Exits with 0 if so, 3 if no server answers in time, 4 if the model has no version that can be called. A script can
    wait with it; with --quiet it says nothing but why no answer came.
    """
    if model == "":
        raise click.UsageError("MODEL is empty; name a model, or none to ask for the server")
    names = list(MODELS) if model is None else [model]
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
    if model is not None and not ready:
        if not common.quiet:
            note(f"impasto: {model} cannot be called at {client.address}")
        return exit_codes.REFUSED
    return exit_codes.DONE


def _show(address: str, model: str | None, found: list[Found], ready: list[str]) -> None:
    if model is None:
        none = "none of " + ", ".join(name for name, _ in found)
        print_line(f"{address} answers; ready: {', '.join(ready) or none}")
        return
    rows = [(str(v.version), v.state.name, v.error) for _, versions in found for v in versions]
    if rows:
        print_table(("VERSION", "STATE", "ERROR"), rows)
