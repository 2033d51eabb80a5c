"""Writers: functions that fill a staging directory with the files of one version."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from impasto.client.repository.manifest import FileRecord
from impasto.client.repository.version_files import entries, is_regular
from impasto.export.repository import tree
from impasto.export.repository.errors import CorruptVersionError, PublishError
from impasto.export.repository.versions import Version, check_present

Writer = Callable[[Path], object]
"""Fills the directory it is given with the files of one version."""


def directory_writer(source: Path) -> Writer:
    """A writer that copies every file under the directory `source`, and the file that a link points to."""

    def write(content: Path) -> None:
        if not source.is_dir():
            raise PublishError(f"{source} is not a directory: name the one that holds the version's files")
        for name, path in entries(source):
            if not path.is_file():
                raise PublishError(f"{path} is neither a file nor a link to one: leave it out")
            _copy(path, content / name)

    return write


def version_writer(version: Version, files: Mapping[str, FileRecord]) -> Writer:
    """A writer that copies the files that `version`'s manifest lists and checks the copy against it."""

    def write(content: Path) -> None:
        try:
            for name in files:
                if not is_regular(version.path / name):  # a link may lead to what has no end
                    raise CorruptVersionError(
                        f"{version.path / name} is no plain file any more: roll back to another version"
                    )
                _copy(version.path / name, content / name)
        except (FileNotFoundError, NotADirectoryError) as error:
            check_present(version)
            raise CorruptVersionError(f"{error.filename} is missing: roll back to another version") from error
        # Checking the copy rather than the original leaves no moment in between.
        if tree.records(content) != files:
            raise CorruptVersionError(
                f"{version.path} is not what its manifest says: roll back to another version "
                "(`impasto-export repository verify` tells which are complete)"
            )

    return write


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
