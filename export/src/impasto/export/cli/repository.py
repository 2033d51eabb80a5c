"""`impasto-export repository`: publish, list, show, verify, prune, rollback."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.table import Table

from impasto.client.array_text import told_values
from impasto.client.model import SignatureInfo, TensorInfo, shape_text
from impasto.client.repository.golden import GoldenError, read_golden
from impasto.client.repository.graph_file import GraphFileError, signatures_of, warm_up_of
from impasto.client.repository.manifest import Manifest, ManifestError
from impasto.client.texts import LONGEST, cut, json_text, printable
from impasto.export.cli import options
from impasto.export.cli.options import MODELS, TensorFlowCommand, show_version
from impasto.export.repository import ModelRepository, Report, RepositoryError, Version, VersionNotFoundError
from impasto.export.repository.versions import versions_in

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


_REQUESTS = click.Path(path_type=Path, dir_okay=False)


@click.command(cls=TensorFlowCommand)
@click.argument("model")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--warm-up",
    type=_REQUESTS,
    metavar="REQUESTS.json",
    help="Requests that a server runs while it loads the version. Default: those that DIR brings, if any.",
)
@click.option(
    "--golden",
    type=_REQUESTS,
    metavar="REQUESTS.json",
    help="Requests that are run now, and kept with their outputs, to check servers against.",
)
@click.option(
    "--from", "origin", metavar="TEXT", help="Where it comes from, such as a URL: for the manifest."
)
@click.option("--licence", metavar="TEXT", help="Its licence: for the manifest.")
@MODELS
def publish(
    model: str,
    directory: Path,
    warm_up: Path | None,
    golden: Path | None,
    origin: str | None,
    licence: str | None,
    models: Path,
) -> None:
    """Publish the SavedModel in DIR, whoever made it, as the next version of MODEL.

    It is copied, loaded the way TensorFlow Serving loads it, and called with the requests. Then it becomes a version,
    complete or not at all. What is unusual about it is said on standard error.

    REQUESTS.json is a list, such as

    \b
      [{"signature": "serving_default", "inputs": {"image": "@small.png"}},
       {"inputs": {"x": [[1.5, 2]], "words": ["a", {"b64": "/w=="}], "y": "@y.npy"}}]

    The signature is serving_default where none is named. "@FILE" is an array (.npy), a picture, or the bytes of any
    file where the input is a string; it is relative to the JSON file. Where a picture goes into floats, "pixels":
    "0..1" beside "inputs" says their range.
    """
    from impasto.export.foreign import Extras, publish_saved_model

    given = {"from": origin, "licence": licence}
    source = {name: text for name, text in given.items() if text is not None}
    extras = Extras(warm_up=warm_up, golden=golden, source=source)
    show_version(publish_saved_model(model, directory, models, extras=extras))


@click.group()
def repository() -> None:
    """Publish any SavedModel; list, show, verify, prune and roll back versions."""


repository.add_command(publish)


@repository.command("list")
@click.argument("names", metavar="[MODELS]...", nargs=-1)
@options.MODELS
@options.JSON
def list_versions(names: tuple[str, ...], models: Path, as_json: bool) -> None:
    """List the versions of MODELS, or of every model."""
    with _opened(models) as store:
        versions = [version for model in names or store.models() for version in _versions(store, model)]
        # One that a pruner removes meanwhile is no longer there to be listed.
        rows = [row for version in versions for row in (_describe(version),) if version.path.exists()]
    if as_json:
        click.echo(json_text(rows))
        return
    table = Table(box=None, pad_edge=False)
    for title in ("model", "version", "created", "TensorFlow", "size"):
        table.add_column(title, no_wrap=True)
    table.add_column("note", overflow="fold")
    for row in rows:
        size = "" if row["size"] is None else decimal(row["size"])
        texts = (row["created"] or "", row["tensorflow"] or "", size, row["note"])
        table.add_row(*(escape(printable(text)) for text in (row["model"], str(row["version"]), *texts)))
    Console().print(table if rows else _no_models(models), highlight=False, soft_wrap=not rows)


@repository.command()
@click.argument("model")
@click.argument("number", metavar="[VERSION]", type=click.IntRange(1), required=False)
@options.MODELS
@options.JSON
def show(model: str, number: int | None, models: Path, as_json: bool) -> None:
    """Tell all that is known of MODEL's newest version, or of VERSION.

    Its manifest, signatures, warm-up and golden records, what a GPU cannot run, and its files. `verify` reads the files
    and compares their hashes.
    """
    with _opened(models) as store:
        version = store.version(model, number)
        description = version_description(version, store.manifest(model, version.number))
    if as_json:
        click.echo(json_text(description))
    else:
        show_description(description)


@repository.command()
@click.argument("names", metavar="[MODELS]...", nargs=-1)
@click.option("--version", "number", type=click.IntRange(1), help="Default: all. Needs one MODEL.")
@options.MODELS
@options.JSON
@click.pass_context
def verify(
    ctx: click.Context, names: tuple[str, ...], number: int | None, models: Path, as_json: bool
) -> None:
    """Compare the files of MODELS, or of every model, with their manifests; exit status 1 if any differs."""
    if number is not None and len(names) != 1:
        raise click.UsageError("--version needs exactly one MODEL")
    with _opened(models) as store:
        if number is not None:
            reports = [store.verify(names[0], number)]
        else:
            chosen = names or store.models()
            reports = []
            for version in (version for model in chosen for version in _versions(store, model)):
                with suppress(VersionNotFoundError):  # a pruner has removed it meanwhile
                    reports.append(store.verify(version.name, version.number))
    if as_json:
        click.echo(json_text([_report(report) for report in reports]))
    else:
        console = Console(soft_wrap=True, highlight=False)
        for report in reports:
            mark = "[green]ok[/]" if report.ok else "[bold red]FAILED[/]"
            console.print(f"{mark} {escape(printable(str(report)))}")
        if not reports:
            console.print(_no_models(models))
    if not all(report.ok for report in reports):
        ctx.exit(1)


@repository.command()
@click.argument("model")
@click.option("--keep", type=click.IntRange(1), required=True, help="How many of the newest stay.")
@options.MODELS
@options.JSON
def prune(model: str, keep: int, models: Path, as_json: bool) -> None:
    """Delete all but the newest versions of MODEL. The newest always stays."""
    with _opened(models) as store:
        deleted = [version.number for version in store.prune(model, keep=keep)]
        kept = [version.number for version in store.versions(model)]
    if as_json:
        click.echo(json_text({"model": model, "deleted": deleted, "kept": kept}, indent=None))
        return
    click.echo(f"{printable(model)}: deleted {_numbers(deleted)}, kept {_numbers(kept)}")


@repository.command()
@click.argument("model")
@click.option("--to", type=click.IntRange(1), help="Default: the version before the newest.")
@options.MODELS
@options.JSON
def rollback(model: str, to: int | None, models: Path, as_json: bool) -> None:
    """Publish an earlier version of MODEL once more, as the newest; servers move to it by themselves."""
    with _opened(models) as store:
        version = store.roll_back(model, to=to)
        manifest = store.manifest(model, version.number)
    if as_json:
        facts = {"copy_of": manifest.copy_of, "rolled_back_from": manifest.rolled_back_from}
        click.echo(
            json_text(
                {"model": model, "version": version.number, **facts, "path": str(version.path)}, indent=None
            )
        )
        return
    click.echo(f"{printable(model)}: version {version.number} holds the files of version {manifest.copy_of}")


@contextmanager
def _opened(root: Path) -> Iterator[ModelRepository]:
    """The repository in `root`; what the system refuses becomes an error that a person can read."""
    if not root.is_dir():
        raise RepositoryError(
            f"there is no model repository at {root}: name one with --models, or export a model"
        )
    try:
        yield ModelRepository(root)
    except OSError as error:
        raise RepositoryError(f"{error.filename or root}: {error.strerror or error}") from error


def _no_models(root: Path) -> str:
    """Say that a repository has no models, and where they may be."""
    said = f"no models in {root}"
    if versions_in(root):
        said += f": it is a model itself, name the folder above with --models {root.absolute().parent}"
    elif deeper := next((path for path in sorted(root.iterdir()) if ModelRepository(path).models()), None):
        said += f": they are one level deeper, name --models {deeper}"
    return escape(printable(said))


def _versions(store: ModelRepository, model: str) -> tuple[Version, ...]:
    store.latest(model)  # says which models there are when this one is not
    return store.versions(model)


def _describe(version: Version) -> dict[str, Any]:
    row: dict[str, Any] = {"model": version.name, "version": version.number, "path": str(version.path)}
    try:
        manifest = Manifest.read(version.path)
    except ManifestError:
        blank: dict[str, Any] = {"created": None, "tensorflow": None, "size": None, "signatures": []}
        return row | blank | {"note": "no usable manifest, see verify"}
    note = ""
    if manifest.copy_of is not None:
        note = f"copy of {manifest.copy_of}, rolled back from {manifest.rolled_back_from}"
    return row | {
        "created": manifest.created,
        "tensorflow": manifest.tensorflow,
        "size": sum(record.size for record in manifest.files.values()),
        "signatures": list(manifest.signatures),
        "note": note,
    }


def _report(report: Report) -> dict[str, Any]:
    return {
        "model": report.version.name,
        "version": report.version.number,
        "ok": report.ok,
        "missing": report.missing,
        "extra": report.extra,
        "changed": report.changed,
        "unreadable": report.unreadable,
        "problem": report.problem,
    }


def _numbers(versions: list[int]) -> str:
    return ", ".join(map(str, versions)) or "none"
