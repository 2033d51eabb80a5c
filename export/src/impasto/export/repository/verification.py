"""Comparing a version's files with its manifest."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from impasto.client.version_files import Comparison, compare
from impasto.export.repository.versions import Version


@dataclass(frozen=True, kw_only=True)
class Report(Comparison):
    """The differences between one version of the repository and its manifest.

    Attributes:
        version: the version that was looked at.
    """

    version: Version

    def __str__(self) -> str:
        return f"{self.version.name}/{self.version.number}: {super().__str__()}"


def verify(version: Version) -> Report:
    """Read every byte of `version` and compare it with its manifest."""
    return Report(version=version, **asdict(compare(version.path)))
