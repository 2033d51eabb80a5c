"""A directory tree as the repository handles it: filled, hashed, given its modes, flushed to disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from impasto.client.pictures import sync_folder
from impasto.client.repository.manifest import FileRecord, entries, is_regular, record
from impasto.export.repository.errors import CorruptVersionError, PublishError
from impasto.export.repository.versions import Version, check_present

DIRECTORY_MODE: Final = 0o755
FILE_MODE: Final = 0o644


def records(root: Path) -> dict[str, FileRecord]:
    """Hash every file under `root`.

    Raises:
        PublishError: there is none, or something is a link, a socket or a device, or its name is not
            UTF-8: a version must hold its own bytes.
    """
    found: dict[str, FileRecord] = {}
    for name, path in entries(root):
        if not _is_text(name):
            raise PublishError(f"{name!r} is not a name in UTF-8, which a manifest can list: rename the file")
        if not is_regular(path):
            raise PublishError(f"{name} is a link or a special file: a version holds plain files only")
        found[name] = record(path)
    if not found:
        raise PublishError("the writer left no file: write the SavedModel into the directory it is given")
    return found


def make_shared(directory: Path) -> None:
    """Make `directory` for every user to read; one that exists already keeps its mode."""
    if not directory.is_dir():
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(DIRECTORY_MODE)
        sync_folder(directory.parent)


def share(root: Path) -> None:
    """Let every user read the tree, whatever the umask: servers run as another user than the publisher."""
    for parent, _, names in os.walk(root):
        Path(parent).chmod(DIRECTORY_MODE)
        for name in names:
            Path(parent, name).chmod(FILE_MODE)


def flush_tree(root: Path) -> None:
    """Make the whole tree durable, contents before the directories that name them."""
    for parent, _, names in os.walk(root, topdown=False):
        for name in names:
            _flush_file(Path(parent, name))
        sync_folder(Path(parent))


def _flush_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


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
        if records(content) != files:
            raise CorruptVersionError(
                f"{version.path} is not what its manifest says: roll back to another version "
                "(`impasto-export repository verify` tells which are complete)"
            )

    return write


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
