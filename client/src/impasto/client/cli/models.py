"""`impasto models`: what the server serves."""

from __future__ import annotations

from typing import Any

import click

from impasto.client.cli import exit_codes
from impasto.client.cli.descriptions import Description, description, show_description, show_headline
from impasto.client.cli.options import Common, common_options
from impasto.client.cli.output import print_json, print_table
from impasto.client.cli.streams import print_line
from impasto.client.client import Client
from impasto.client.errors import ModelNotFound
from impasto.client.metadata import ModelMetadata, State, TensorInfo, VersionStatus
from impasto.client.signatures import MODELS


@click.command(short_help="List the models that the server serves.")
@click.argument("names", metavar="[MODEL]...", nargs=-1)
@click.option("-s", "--signatures", is_flag=True, help="Show each signature's inputs and outputs too.")
@common_options
def models(*, common: Common, names: tuple[str, ...], signatures: bool) -> int:
    """List the models that the server serves: their versions, states and signatures, and their networks' weights.

    TensorFlow Serving answers for a model only by name, so this asks for Impasto's models and for each MODEL named.
    """
    with common.connect() as client:
        found = {name: _ask(client, name) for name in dict.fromkeys((*MODELS, *names))}
    if common.as_json:
        print_json(
            {"server": client.address, "models": [_as_json(name, *entry) for name, entry in found.items()]}
        )
    else:
        rows = [row for name, entry in found.items() for row in _rows(name, *entry)]
        print_table(("MODEL", "VERSION", "STATE", "SIGNATURES"), rows)
        _show_descriptions(found, everything=signatures)
        if signatures:
            for _, metadata, _ in found.values():
                if metadata is not None:
                    _show_signatures(metadata)
    missing = [name for name in names if not found[name][0]]
    return exit_codes.REFUSED if missing else exit_codes.DONE


Found = tuple[tuple[VersionStatus, ...], ModelMetadata | None, Description | None]


def _ask(client: Client, name: str) -> Found:
    try:
        versions = client.status(name)
    except ModelNotFound:
        return (), None, None
    if not any(version.state is State.AVAILABLE for version in versions):
        return versions, None, None
    metadata = client.metadata(name)
    return versions, metadata, description(client, metadata)


def _rows(
    name: str,
    versions: tuple[VersionStatus, ...],
    metadata: ModelMetadata | None,
    _description: Description | None,
) -> list[tuple[str, ...]]:
    if not versions:
        return [(name, "-", "not served", "")]
    rows: list[tuple[str, ...]] = []
    for status in versions:
        newest = metadata is not None and status.version == metadata.version
        listed = " ".join(metadata.signatures) if newest and metadata is not None else ""
        rows.append((name, str(status.version), status.state.name, status.error or listed))
    return rows


def _show_descriptions(found: dict[str, Found], *, everything: bool) -> None:
    described = {name: entry[2] for name, entry in found.items() if entry[2] is not None}
    for name, told in described.items():
        show_headline(name, told)
    if everything:
        for name, told in described.items():
            show_description(name, told)


def _show_signatures(metadata: ModelMetadata) -> None:
    for name, signature in metadata.signatures.items():
        print_line(f"\n{metadata.model} {name}")
        for word, infos in (("in ", signature.inputs), ("out", signature.outputs)):
            for info in infos.values():
                default = "" if info.default is None else f" = {info.default.tolist()}"
                print_line(f"  {word} {info.name} {info.dtype} {_shape(info)}{default}")


def _shape(info: TensorInfo) -> str:
    if info.shape is None:
        return "[any shape]"
    return "[" + ", ".join("?" if size is None else str(size) for size in info.shape) + "]"


def _as_json(
    name: str,
    versions: tuple[VersionStatus, ...],
    metadata: ModelMetadata | None,
    described: Description | None,
) -> dict[str, Any]:
    return {
        "model": name,
        "versions": [{"version": v.version, "state": v.state.name, "error": v.error} for v in versions],
        "description": described,
        "signatures": {}
        if metadata is None
        else {
            signature.name: {
                "inputs": [_tensor_as_json(info) for info in signature.inputs.values()],
                "outputs": [_tensor_as_json(info) for info in signature.outputs.values()],
            }
            for signature in metadata.signatures.values()
        },
    }


def _tensor_as_json(info: TensorInfo) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": info.name, "dtype": info.dtype, "shape": info.shape}
    if info.default is not None:
        entry["default"] = info.default.tolist()
    return entry
