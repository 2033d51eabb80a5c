"""Comparing a version's files with its manifest."""

from __future__ import annotations

from dataclasses import dataclass

from impasto.export.manifest import MANIFEST_NAME, Manifest, ManifestError
from impasto.export.repository import tree
from impasto.export.repository.versions import Version


@dataclass(frozen=True)
class Report:
    """How a version differs from its manifest; paths are relative to the version, with `/`.

    Attributes:
        version: the version that was looked at.
        missing: files that the manifest lists and the version lacks.
        extra: files that the version holds and the manifest does not list.
        changed: files of another size or SHA-256, or no plain files any more.
        unreadable: files whose bytes the disk or the permissions do not give.
        problem: why the manifest or the directory cannot be read; the files were not compared then.
    """

    version: Version
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    problem: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the version is exactly what its manifest says."""
        return not (self.missing or self.extra or self.changed or self.unreadable or self.problem)

    def __str__(self) -> str:
        faults = [self.problem] if self.problem else []
        for word in ("missing", "extra", "changed", "unreadable"):
            faults.extend(f"{word}: {name}" for name in getattr(self, word))
        return f"{self.version.name}/{self.version.number}: " + ("; ".join(faults) or "complete")


def verify(version: Version) -> Report:
    """Read every byte of `version` and compare it with its manifest."""
    try:
        expected = Manifest.read(version.path).files
        found = {name: path for name, path in tree.entries(version.path) if name != MANIFEST_NAME}
    except (ManifestError, OSError) as error:
        return Report(version, problem=str(error))
    changed, unreadable = [], []
    for name in sorted(expected.keys() & found.keys()):
        try:
            if not tree.is_regular(found[name]) or tree.record(found[name]) != expected[name]:
                changed.append(name)
        except OSError:
            unreadable.append(name)
    return Report(
        version,
        missing=tuple(sorted(expected.keys() - found.keys())),
        extra=tuple(sorted(found.keys() - expected.keys())),
        changed=tuple(changed),
        unreadable=tuple(unreadable),
    )
