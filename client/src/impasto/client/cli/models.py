"""`impasto models`: what the server serves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import click
from numpy.typing import NDArray

from impasto.client import Client, ModelMetadata, signatures
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
