"""The files of a version: listed, hashed, and compared with the version's manifest."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from impasto.client.repository.manifest import MANIFEST_NAME, FileRecord, Manifest, ManifestError

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
