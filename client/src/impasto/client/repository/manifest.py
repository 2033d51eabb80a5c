"""The manifest of a published version, and the comparison of the version's files with it.

Exporters write it and servers' operators check it, so that both read one format.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any, Final, cast

from impasto.client.errors import ImpastoError
from impasto.client.texts import NotUtf8, decoded_text

MANIFEST_NAME: Final = "manifest.json"
"""The manifest's file name, at the root of a version; TensorFlow Serving ignores files it does not know."""


class ManifestError(ImpastoError, ValueError):
    """A manifest that cannot be read or written; the message names the file or the field and the remedy."""


@dataclass(frozen=True)
class FileRecord:
    """A file of a version as it must be: its SHA-256 in lower-case hexadecimal and its size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True, kw_only=True)
class HostOps:
    """The ops of a version for which TensorFlow registers no GPU kernel, such as `ResizeBicubic float32`.

    A server with a GPU runs them on the processor, and moves their inputs and outputs across the bus.

    Attributes:
        pictures: those that work on pictures or feature maps: each run of one costs two copies of a large tensor.
        others: those that may or may not.
        harmless: arithmetic on shapes, checks, strings, tables and the coding of files: work for the processor anyway.
    """

    pictures: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    harmless: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, list[str]]:
        """The lists as JSON values."""
        return {item.name: list(getattr(self, item.name)) for item in fields(self)}


def utc_now() -> str:
    """The time in UTC, ISO 8601 with seconds; that of SOURCE_DATE_EPOCH if it is set.

    Raises:
        ManifestError: SOURCE_DATE_EPOCH is not a whole number of seconds that a date can express.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch is None:
        moment = datetime.now(timezone.utc)
    else:
        try:
            moment = datetime.fromtimestamp(int(epoch), timezone.utc)
        except (ValueError, OverflowError, OSError) as error:
            raise ManifestError(
                f"SOURCE_DATE_EPOCH must be whole seconds since 1970, not {epoch!r}: set it right or unset it"
            ) from error
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def installed(distribution: str) -> str | None:
    """The installed version of `distribution`, read without importing it; None if it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The description of a version.

    An exporter fills in what it knows and leaves `files` out: publishing hashes them.

    Attributes:
        model: the model's name in the repository.
        created: UTC, ISO 8601; now, or SOURCE_DATE_EPOCH.
        tensorflow: the TensorFlow version that wrote the SavedModel; None if none did.
        impasto: the version of impasto-export.
        contract: the name of Impasto's contract that the version keeps; None where it keeps none.
        signatures: the signature names that the version serves.
        source: where it came from: weights, preset, training data with licences. JSON values.
        figures: what was measured on it. JSON values.
        golden: the files with golden records, requests and the outputs that the exporter computed, by their paths
            in `files`; see `impasto.client.repository.golden`.
        host_ops: the ops that have no GPU kernel; None where that is not known.
        shared_state: what a request changes that the next one sees, a line each; none for Impasto's own models.
        files: every file of the version by its path relative to it, with `/`; the manifest itself is not
            listed.
        copy_of: the version whose files these are, if the version was rolled back to.
        rolled_back_from: the version that was the newest before that roll back.
        extra: fields that this release does not know, kept as they were read.
    """

    model: str
    created: str = field(default_factory=utc_now)
    tensorflow: str | None = field(default_factory=lambda: installed("tensorflow"))
    impasto: str | None = field(default_factory=lambda: installed("impasto-export"))
    contract: str | None = None
    signatures: tuple[str, ...] = ()
    source: Mapping[str, Any] = field(default_factory=dict[str, Any])
    figures: Mapping[str, Any] = field(default_factory=dict[str, Any])
    golden: tuple[str, ...] = ()
    host_ops: HostOps | None = None
    shared_state: tuple[str, ...] = ()
    files: Mapping[str, FileRecord] = field(default_factory=dict[str, FileRecord])
    copy_of: int | None = None
    rolled_back_from: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def to_json(self) -> str:
        """The manifest as indented JSON, its files sorted by path, with a final newline.

        Raises:
            ManifestError: a value of `source`, `figures` or `extra` is not JSON (a numpy scalar, NaN, a
                path).
        """
        data: dict[str, Any] = {
            "model": self.model,
            "created": self.created,
            "tensorflow": self.tensorflow,
            "impasto": self.impasto,
            **({} if self.contract is None else {"contract": self.contract}),
            "signatures": list(self.signatures),
            "source": dict(self.source),
            "figures": dict(self.figures),
        }
        for name in ("golden", "shared_state"):
            if texts := getattr(self, name):
                data[name] = list(texts)
        if self.host_ops is not None:
            data["host_ops"] = self.host_ops.as_dict()
        for name in ("copy_of", "rolled_back_from"):
            if (number := getattr(self, name)) is not None:
                data[name] = number
        data.update(self.extra)
        data["files"] = {
            path: {"sha256": record.sha256, "size": record.size}
            for path, record in sorted(self.files.items())
        }
        for name, value in data.items():
            try:
                json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
            except (TypeError, ValueError, RecursionError) as error:
                raise ManifestError(
                    f"manifest field {name!r} cannot be written as JSON ({error}): "
                    "give strings in UTF-8, finite int or float, bool, None, lists and mappings with string keys"
                ) from error
        return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str, *, where: str = MANIFEST_NAME) -> Manifest:
        """Parse what `to_json` wrote, by this release or a later one.

        Args:
            text: the JSON document.
            where: what to call it in an error, such as its path.

        Raises:
            ManifestError: not JSON, a field missing or of the wrong type, or a file path that leaves the
                version.
        """
        try:
            parsed: object = json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise ManifestError(f"{where} is not JSON ({error}); publish the version again") from error
        if not isinstance(parsed, dict):
            raise ManifestError(f"{where} must hold a JSON object, not {type(parsed).__name__}")
        data = cast("dict[str, Any]", parsed)  # the keys of a JSON object are strings
        reader = _Fields(data, where)
        records = reader.get("files", dict)
        known = {item.name for item in fields(cls)} - {"extra"}
        return cls(
            model=reader.get("model", str),
            created=reader.get("created", str),
            tensorflow=reader.get("tensorflow", str, type(None)),
            impasto=reader.get("impasto", str, type(None)),
            contract=None if "contract" not in data else reader.get("contract", str),
            signatures=reader.strings("signatures"),
            source=reader.get("source", dict),
            figures=reader.get("figures", dict),
            golden=reader.strings("golden", optional=True),
            host_ops=None if "host_ops" not in data else _host_ops(reader.get("host_ops", dict), where),
            shared_state=reader.strings("shared_state", optional=True),
            files={path: _file_record(path, record, where) for path, record in records.items()},
            copy_of=reader.optional_whole("copy_of"),
            rolled_back_from=reader.optional_whole("rolled_back_from"),
            extra={name: value for name, value in data.items() if name not in known},
        )

    @classmethod
    def read(cls, version: Path) -> Manifest:
        """Read the manifest of the version directory `version`.

        Raises:
            ManifestError: there is none, or it is broken; see `from_json`.
        """
        path = version / MANIFEST_NAME
        try:
            if path.exists() and not path.is_file():  # a pipe would be read without end
                raise ManifestError(f"{path} is not a file: publish the version again")
            text = decoded_text(path.read_bytes())
        except FileNotFoundError as error:
            raise ManifestError(f"{path} is missing: this version was not published by Impasto") from error
        except (OSError, NotUtf8) as error:
            raise ManifestError(f"{path} cannot be read: {error}") from error
        return cls.from_json(text, where=str(path))


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number in JSON")


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


class _Fields:
    """Typed access to a JSON object; every mistake becomes a ManifestError that names the field."""

    def __init__(self, data: dict[str, Any], where: str) -> None:
        self._data = data
        self._where = where

    def get(self, name: str, *types: type) -> Any:
        if name not in self._data:
            raise ManifestError(f"{self._where}: field {name!r} is missing")
        value = self._data[name]
        # bool is a subclass of int, and no field is one.
        if not isinstance(value, types) or isinstance(value, bool):
            wanted = " or ".join("null" if kind is type(None) else kind.__name__ for kind in types)
            raise ManifestError(f"{self._where}: field {name!r} must be {wanted}, not {type(value).__name__}")
        return value

    def strings(self, name: str, *, optional: bool = False) -> tuple[str, ...]:
        if optional and name not in self._data:
            return ()
        values = self.get(name, list)
        if not all(isinstance(value, str) for value in values):
            raise ManifestError(f"{self._where}: field {name!r} must be a list of strings")
        return tuple(values)

    def whole(self, name: str) -> int:
        value = int(self.get(name, int))
        if not 0 <= value < 2**63:
            raise ManifestError(f"{self._where}: field {name!r} must be from 0 to 2**63 - 1")
        return value

    def optional_whole(self, name: str) -> int | None:
        return None if name not in self._data else self.whole(name)


def _host_ops(value: dict[str, Any], where: str) -> HostOps:
    reader = _Fields(value, f"{where}: host_ops")
    return HostOps(**{item.name: reader.strings(item.name, optional=True) for item in fields(HostOps)})


def _file_record(path: str, record: object, where: str) -> FileRecord:
    parts = PurePosixPath(path)
    if "\0" in path or not _is_text(path):
        raise ManifestError(f"{where}: file path {path!r} cannot be a file's: publish the version again")
    if parts.is_absolute() or ".." in parts.parts or str(parts) != path or path == ".":
        raise ManifestError(f"{where}: file path {path!r} must be relative and stay inside the version")
    if not isinstance(record, dict):
        raise ManifestError(f"{where}: file {path!r} must have an object with sha256 and size")
    reader = _Fields(cast("dict[str, Any]", record), f"{where}: file {path!r}")
    return FileRecord(sha256=reader.get("sha256", str), size=reader.whole("size"))


_BLOCK: Final = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The differences between a version and its manifest; paths are relative to the version, with `/`.

    Attributes:
        missing: files that the manifest lists and the version lacks.
        extra: files that the version holds and the manifest does not list.
        changed: files of another size or SHA-256, or no plain files any more.
        unreadable: files whose bytes the disk or the permissions do not give.
        problem: why the manifest or the directory cannot be read; the files were not compared then.
    """

    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    problem: str | None = None

    @property
    def ok(self) -> bool:
        """True if the version is exactly what its manifest says."""
        return not (self.missing or self.extra or self.changed or self.unreadable or self.problem)

    def __str__(self) -> str:
        faults = [self.problem] if self.problem else []
        for word in ("missing", "extra", "changed", "unreadable"):
            faults.extend(f"{word}: {name}" for name in getattr(self, word))
        return "; ".join(faults) or "complete"


def entries(root: Path) -> Iterator[tuple[str, Path]]:
    """Everything under `root` that is not a directory, as (path relative to it with `/`, path), sorted.

    Raises:
        OSError: a directory cannot be listed.
    """

    def refuse(error: OSError) -> None:
        raise error  # os.walk would leave the directory out

    found: list[Path] = []
    for parent, directories, names in os.walk(root, onerror=refuse):
        # A link to a directory is an entry to report, not a place to walk into.
        links = [name for name in directories if Path(parent, name).is_symlink()]
        found.extend(Path(parent, name) for name in (*names, *links))
    yield from sorted((path.relative_to(root).as_posix(), path) for path in found)


def is_regular(path: Path) -> bool:
    """Return whether `path` is a file itself: not a link, a socket or a device."""
    return stat.S_ISREG(path.lstat().st_mode)


def record(path: Path) -> FileRecord:
    """The SHA-256 and the size of the file at `path`, read in blocks of 1 MiB."""
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return FileRecord(sha256=digest.hexdigest(), size=size)


def compare(version: Path) -> Comparison:
    """Read every byte of the version in the directory `version` and compare it with the manifest there."""
    try:
        expected = Manifest.read(version).files
        found = {name: path for name, path in entries(version) if name != MANIFEST_NAME}
    except (ManifestError, OSError, RecursionError) as error:
        return Comparison(problem=str(error))
    changed: list[str] = []
    unreadable: list[str] = []
    for name in sorted(expected.keys() & found.keys()):
        try:
            if not is_regular(found[name]) or record(found[name]) != expected[name]:
                changed.append(name)
        except OSError:
            unreadable.append(name)
    return Comparison(
        missing=tuple(sorted(expected.keys() - found.keys())),
        extra=tuple(sorted(found.keys() - expected.keys())),
        changed=tuple(changed),
        unreadable=tuple(unreadable),
    )
