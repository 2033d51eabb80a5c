"""The versions in a repository: the names that they may have, and the comparison of one with its manifest."""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from impasto.client.repository.manifest import Comparison, compare
from impasto.export.repository.errors import ModelNameError, VersionNotFoundError

# What passes unquoted through TensorFlow Serving's REST paths, metric labels and text-format config.
_MODEL_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

LARGEST_VERSION: Final = 2**63 - 1
"""The largest number that TensorFlow Serving reads; a directory with a larger one is no version."""


@dataclass(frozen=True)
class Version:
    """A published version: the model's name, its number (1 or more) and its directory."""

    name: str
    number: int
    path: Path


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


def check_present(version: Version) -> None:
    """Tell damage from a version that was pruned while it was being read.

    Raises:
        VersionNotFoundError: it is gone.
    """
    if not version.path.exists():
        raise VersionNotFoundError(f"version {version.number} of model {version.name!r} was pruned meanwhile")


def is_model_name(name: str) -> bool:
    """Return true if a model may have `name`."""
    return _MODEL_NAME.fullmatch(name) is not None


def check_model_name(name: str) -> str:
    """Return `name` if a model may have it.

    Raises:
        ModelNameError: it may not.
    """
    if not is_model_name(name):
        raise ModelNameError(
            f"{name!r} cannot be a model's name: use 1 to 128 letters, digits, '.', '_' or '-', "
            "beginning with a letter or digit"
        )
    return name


def versions_in(model: Path) -> tuple[Version, ...]:
    """The versions in a model's directory, ascending; none if the directory is not there."""
    if not model.is_dir():
        return ()
    while True:
        paths = [
            path for path in model.iterdir() if _is_number(path.name) and str(int(path.name)) == path.name
        ]
        found = [Version(model.name, int(path.name), path) for path in paths if path.is_dir()]
        # A listing is no snapshot: it may hold a version that was pruned since and lack the one that replaced it.
        if all(os.path.lexists(path) for path in paths):
            return tuple(sorted(found, key=lambda version: version.number))


def next_number(model: Path) -> int:
    """One more than any number in the model's directory, were it a file, empty or with leading zeros."""
    return 1 + max((int(path.name) for path in model.iterdir() if _is_number(path.name)), default=0)


def _is_number(name: str) -> bool:
    # TensorFlow Serving takes ASCII digits only; str.isdigit alone would let others through.
    return name.isascii() and name.isdigit() and int(name) <= LARGEST_VERSION
