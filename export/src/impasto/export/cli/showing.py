"""All that is known of a version, for `impasto-export repository show`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import click
from rich.filesize import decimal

from impasto.client.array_text import told_values
from impasto.client.model import SignatureInfo, TensorInfo, shape_text
from impasto.client.repository.golden import GoldenError, read_golden
from impasto.client.repository.graph_file import GraphFileError, signatures_of, warm_up_of
from impasto.client.repository.manifest import Manifest
from impasto.client.texts import LONGEST, cut, json_text, printable
from impasto.export.repository import Version

_LONGEST_VALUE: Final = 300
"""Characters of a value of `source` or `figures` that people are shown; JSON has all."""


def version_description(version: Version, manifest: Manifest) -> dict[str, Any]:
    """Return what is known of a version as JSON values; what cannot be read is under `problems`."""
    problems: list[str] = []
    signatures: dict[str, SignatureInfo] = {}
    warm_up: list[dict[str, Any]] = []
    golden: list[dict[str, Any]] = []
    try:
        signatures = signatures_of(version.path)
    except GraphFileError as error:
        problems.append(str(error))
    try:
        warm_up = [
            {
                "signature": request.signature,
                "inputs": {name: _tensor(dtype, shape) for name, (dtype, shape) in request.inputs.items()},
            }
            for request in warm_up_of(version.path)
        ]
    except GraphFileError as error:
        problems.append(str(error))
    try:
        golden = [
            {"file": name, "signature": record.signature, "inputs": sorted(record.inputs)}
            for name, record in zip(manifest.golden, read_golden(version.path), strict=True)
        ]
    except (GoldenError, OSError) as error:
        problems.append(str(error))
    return {
        "model": version.name,
        "version": version.number,
        "path": str(version.path),
        "created": manifest.created,
        "tensorflow": manifest.tensorflow,
        "impasto": manifest.impasto,
        "contract": manifest.contract,
        "copy_of": manifest.copy_of,
        "rolled_back_from": manifest.rolled_back_from,
        "source": dict(manifest.source),
        "figures": dict(manifest.figures),
        **manifest.extra,
        "signatures": {
            name: {
                "inputs": [_info(info) for info in signature.inputs.values()],
                "outputs": [_info(info) for info in signature.outputs.values()],
            }
            for name, signature in signatures.items()
        },
        "warm_up": warm_up,
        "golden": golden,
        "host_ops": None if manifest.host_ops is None else manifest.host_ops.as_dict(),
        "shared_state": list(manifest.shared_state),
        "size": sum(record.size for record in manifest.files.values()),
        "files": {
            path: {"sha256": record.sha256, "size": record.size} for path, record in manifest.files.items()
        },
        "problems": problems,
    }


def show_description(description: Mapping[str, Any]) -> None:
    """Print a description for people."""
    for line in _lines(description):
        click.echo(printable(line, longest=LONGEST))


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"{found['model']} version {found['version']}, {decimal(found['size'])}, in {found['path']}"
    makers = f"impasto-export {found['impasto'] or '-'}, TensorFlow {found['tensorflow'] or '-'}"
    yield f"created {found['created']} by {makers}"
    if found["contract"] is not None:
        yield f"keeps the contract of {found['contract']}"
    if found["copy_of"] is not None:
        yield f"a copy of version {found['copy_of']}, rolled back from {found['rolled_back_from']}"
    for problem in found["problems"]:
        yield f"PROBLEM {problem}"
    for name, signature in found["signatures"].items():
        yield f"signature {name}"
        for word, infos in (("in ", signature["inputs"]), ("out", signature["outputs"])):
            for info in infos:
                default = f" = {json_text(info['default'], indent=None)}" if "default" in info else ""
                yield f"  {word} {info['name']} {info['dtype']} {shape_text(info['shape'])}{default}"
    yield f"warm-up: {_counted(found['warm_up'])}"
    yield f"golden records: {_counted(found['golden'])}"
    yield from _host_lines(found["host_ops"])
    for line in found["shared_state"]:
        yield f"a request changes shared state: {line}"
    for word in ("source", "figures"):
        for name, value in found[word].items():
            text = value if isinstance(value, str) else json_text(value, indent=None)
            yield f"{word} {name}: {cut(text, _LONGEST_VALUE)}"
    for path, record in found["files"].items():
        yield f"file {record['sha256']} {decimal(record['size']):>10} {path}"


def _host_lines(ops: Mapping[str, Sequence[str]] | None) -> Iterator[str]:
    if ops is None:
        yield "ops without a GPU kernel: not known"
        return
    words = {"pictures": "work on pictures", "others": "others", "harmless": "harmless"}
    told = [f"{words[kind]}: {', '.join(ops[kind])}" for kind in words if ops[kind]]
    yield f"ops without a GPU kernel: {'; '.join(told) or 'none'}"


def _counted(requests: Sequence[Mapping[str, Any]]) -> str:
    """The number of requests of each signature."""
    names = [request["signature"] for request in requests]
    return ", ".join(f"{name} {names.count(name)}" for name in dict.fromkeys(names)) or "none"


def _tensor(dtype: str, shape: Sequence[int]) -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape)}


def _info(info: TensorInfo) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": info.name, "dtype": info.dtype, "shape": info.shape}
    if info.default is not None:
        entry["default"] = told_values(info.default)
    return entry
