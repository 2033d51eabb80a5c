"""`impasto status`: whether the server, or a model on it, is ready."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from impasto.client import Client, State, VersionStatus, errors, signatures
from impasto.client.cli import exit_codes
from impasto.client.cli.options import Common, common_options
from impasto.client.cli.output import note, print_json, print_line, print_table
from impasto.client.cli.served import Asked, ask_each

Found = Mapping[str, tuple[VersionStatus, ...]]
"""The versions of each model, by its name."""


@click.command(short_help="Tell whether the server, or a model on it, is ready.")
@click.argument("model", required=False)
@common_options
def status(*, common: Common, model: str | None) -> int:
    """Tell whether the server is ready or, with MODEL, whether a version of it can be called.

    Exits with 0 if so, 3 if no server answers in time, 4 if the model has no version that can be called. A script can
    wait with it; with --quiet it says nothing but why no answer came.

    Of several replicas each is asked, and what each says is shown. It is 0 if the model can be called at every replica
    that answers, for calls go to all of these; one that does not answer is left out and named on standard error.
    """
    if model == "":
        raise click.UsageError("MODEL is empty; name a model, or none to ask for the server")
    names = list(signatures.MODELS) if model is None else [model]

    def ask(client: Client) -> Found:
        return {name: _versions(client, name) for name in names}

    settings = common.settings()
    asked = ask_each(settings, ask)
    answered = {one.server: one.answer for one in asked if one.answer is not None}
    ready = [name for name in names if all(_is_ready(found[name]) for found in answered.values())]
    for one in asked:
        if one.error is not None:
            note(f"impasto: {one.error}")
    if common.as_json:
        print_json(_as_json(settings.address, asked, ready))
    elif not common.quiet:
        _show(model, answered, several=len(asked) > 1)
    if model is not None and not ready:
        if not common.quiet:
            where = [server for server, found in answered.items() if not _is_ready(found[model])]
            note(f"impasto: {model} cannot be called at {', '.join(where)}")
        return exit_codes.REFUSED
    return exit_codes.DONE


def _versions(client: Client, name: str) -> tuple[VersionStatus, ...]:
    try:
        return client.status(name)
    except errors.ModelNotFound:
        return ()


def _is_ready(versions: Sequence[VersionStatus]) -> bool:
    return any(version.state is State.AVAILABLE for version in versions)


def _show(model: str | None, answered: Mapping[str, Found], *, several: bool) -> None:
    if model is None:
        for server, found in answered.items():
            ready = [name for name, versions in found.items() if _is_ready(versions)]
            print_line(f"{server} answers; ready: {', '.join(ready) or 'none of ' + ', '.join(found)}")
        return
    rows = [
        (server, *row)
        for server, found in answered.items()
        for row in _rows(found[model], missing=[("-", "not served", "")] if several else [])
    ]
    if rows:
        header = ("REPLICA", "VERSION", "STATE", "ERROR")
        print_table(header if several else header[1:], rows if several else [row[1:] for row in rows])


def _rows(
    versions: Sequence[VersionStatus], *, missing: list[tuple[str, str, str]]
) -> list[tuple[str, str, str]]:
    return [(str(v.version), v.state.name, v.error) for v in versions] or missing


def _as_json(address: str, asked: Sequence[Asked[Found]], ready: list[str]) -> dict[str, Any]:
    if len(asked) == 1 and asked[0].answer is not None:
        return {"server": address, "ready": ready, "models": _models_as_json(asked[0].answer)}
    replicas = [
        {"server": one.server, "error": str(one.error)}
        if one.answer is None
        else {"server": one.server, "models": _models_as_json(one.answer)}
        for one in asked
    ]
    return {"server": address, "ready": ready, "replicas": replicas}


def _models_as_json(found: Found) -> dict[str, Any]:
    return {
        name: [{"version": v.version, "state": v.state.name, "error": v.error} for v in versions]
        for name, versions in found.items()
    }
