"""`impasto models` and `impasto status`: what the server serves, and whether it is ready."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import click
from numpy.typing import NDArray

from impasto.client import Client, ModelMetadata, State, VersionStatus, errors, signatures
from impasto.client.array_text import MOST_TOLD, told_values
from impasto.client.cli import exit_codes
from impasto.client.cli.options import Common, common_options
from impasto.client.cli.output import note, print_json, print_line, print_table
from impasto.client.cli.served import Asked, Served, ask_each, served, show_description, show_headline
from impasto.client.model import shape_text
from impasto.client.texts import printable

Answer = Mapping[str, Served]
"""The models of one replica, by their names."""


@click.command(short_help="List the models that the server serves.")
@click.argument("names", metavar="[MODEL]...", nargs=-1)
@click.option(
    "-s", "--signatures", "everything", is_flag=True, help="Show each signature's inputs and outputs too."
)
@common_options
def models(*, common: Common, names: tuple[str, ...], everything: bool) -> int:
    """List the models that the server serves: their versions, states and signatures, and their networks' weights.

    TensorFlow Serving answers for a model only by name, so this asks for Impasto's models and for each MODEL named. Of
    the upscalers only those are listed that are served, and srcnn.

    Of several replicas each is asked; where they differ, the table says which serves what. What cannot be told is named
    on standard error. Exits with 3 or 4 only if no replica told anything, and with 4 if none serves a MODEL named.
    """

    def ask(client: Client) -> Answer:
        found = {name: served(client, name) for name in dict.fromkeys((*signatures.MODELS, *names))}
        errors = [entry.error for entry in found.values() if entry.error is not None]
        if errors and not any(entry.versions for entry in found.values()):
            raise errors[0]
        return found

    settings = common.settings()
    asked = _without_unserved(ask_each(settings, ask), named=names)
    answered = {one.server: one.answer for one in asked if one.answer is not None}
    _note_errors(asked)
    if common.as_json:
        print_json({"server": settings.address, **_as_json(asked)})
    else:
        _show(answered, everything=everything)
    missing = [name for name in names if not any(found[name].versions for found in answered.values())]
    return exit_codes.REFUSED if missing else exit_codes.DONE


def _without_unserved(asked: Sequence[Asked[Answer]], *, named: Sequence[str]) -> list[Asked[Answer]]:
    """Leave out the models that no replica serves and that nobody expects: of each kind the usual one is expected."""
    expected = {*named, *(contract.usual_model for contract in signatures.CONTRACTS.values())}
    entries = [entry for one in asked if one.answer is not None for entry in one.answer.values()]
    shown = expected.union(entry.name for entry in entries if entry.versions or entry.error is not None)

    def listed(one: Asked[Answer]) -> Asked[Answer]:
        if one.answer is None:
            return one
        return replace(one, answer={name: entry for name, entry in one.answer.items() if name in shown})

    return [listed(one) for one in asked]


def _note_errors(asked: Sequence[Asked[Answer]]) -> None:
    for one in asked:
        entries = () if one.answer is None else one.answer.values()
        for error in (one.error, *(entry.error for entry in entries)):
            if error is not None:
                note(f"impasto: {error}")


def _as_json(asked: Sequence[Asked[Answer]]) -> dict[str, Any]:
    def told(one: Asked[Answer]) -> dict[str, Any]:
        if one.answer is None:
            return {"error": str(one.error)}
        return {"models": [entry.as_json() for entry in one.answer.values()]}

    if len(asked) == 1:
        return told(asked[0])
    return {"replicas": [{"server": one.server, **told(one)} for one in asked]}


def _show(answered: Mapping[str, Answer], *, everything: bool) -> None:
    names = list(next(iter(answered.values())))
    rows = [
        (where, *row)
        for name in names
        for where, entry in _kinds(answered, name, lambda entry: entry.rows())
        for row in entry.rows()
    ]
    differ = any(where for where, *_ in rows)
    header = ("MODEL", "VERSION", "STATE", "SIGNATURES")
    if differ:
        print_table(("REPLICA", *header), [(where or "all", *row) for where, *row in rows])
    else:
        print_table(header, [tuple(row) for _, *row in rows])
    described = [
        (_label(name, where), entry.described)
        for name in names
        for where, entry in _kinds(answered, name, lambda entry: entry.described)
        if entry.described is not None
    ]
    for label, told in described:
        show_headline(label, told)
    if not everything:
        return
    for label, told in described:
        show_description(label, told)
    for name in names:
        for where, entry in _kinds(answered, name, lambda entry: entry.as_json()["signatures"]):
            if entry.metadata is not None:
                _show_signatures(_label(name, where), entry.metadata)


def _kinds(
    answered: Mapping[str, Answer], name: str, key: Callable[[Served], object]
) -> list[tuple[str, Served]]:
    """Return each different thing that replicas say about a name, with those that say so; none where all do."""
    kinds: list[tuple[list[str], Served]] = []
    for server, found in answered.items():
        alike = next((servers for servers, entry in kinds if key(entry) == key(found[name])), None)
        if alike is None:
            kinds.append(([server], found[name]))
        else:
            alike.append(server)
    return [("" if len(kinds) == 1 else ",".join(servers), entry) for servers, entry in kinds]


def _label(name: str, where: str) -> str:
    return f"{name} at {where}" if where else name


def _show_signatures(label: str, metadata: ModelMetadata) -> None:
    for name, signature in metadata.signatures.items():
        print_line(f"\n{printable(label)} {printable(name)}")
        for word, infos in (("in ", signature.inputs), ("out", signature.outputs)):
            for info in infos.values():
                default = "" if info.default is None else f" = {_default(info.default)}"
                print_line(f"  {word} {printable(info.name)} {info.dtype} {shape_text(info.shape)}{default}")


def _default(value: NDArray[Any]) -> str:
    return str(value.tolist() if value.size <= MOST_TOLD else told_values(value))


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
        print_json(_status_as_json(settings.address, asked, ready))
    elif not common.quiet:
        _show_status(model, answered, several=len(asked) > 1)
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


def _show_status(model: str | None, answered: Mapping[str, Found], *, several: bool) -> None:
    if model is None:
        for server, found in answered.items():
            ready = [name for name, versions in found.items() if _is_ready(versions)]
            print_line(f"{server} answers; ready: {', '.join(ready) or 'none of ' + ', '.join(found)}")
        return
    rows = [
        (server, *row)
        for server, found in answered.items()
        for row in _status_rows(found[model], missing=[("-", "not served", "")] if several else [])
    ]
    if rows:
        header = ("REPLICA", "VERSION", "STATE", "ERROR")
        print_table(header if several else header[1:], rows if several else [row[1:] for row in rows])


def _status_rows(
    versions: Sequence[VersionStatus], *, missing: list[tuple[str, str, str]]
) -> list[tuple[str, str, str]]:
    return [(str(v.version), v.state.name, v.error) for v in versions] or missing


def _status_as_json(address: str, asked: Sequence[Asked[Found]], ready: list[str]) -> dict[str, Any]:
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
