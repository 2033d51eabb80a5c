"""A directory tree as the repository handles it: listed, hashed, given its modes, flushed to disk."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from impasto.export.manifest import FileRecord
from impasto.export.repository.errors import PublishError

DIRECTORY_MODE: Final = 0o755
FILE_MODE: Final = 0o644
_BLOCK: Final = 1 << 20


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
    """Whether `path` is a file itself: not a link, a socket or a device."""
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


def records(root: Path) -> dict[str, FileRecord]:
    """Hash every file under `root`.

    Raises:
        PublishError: there is none, or something is a link, a socket or a device: a version must hold its own
            bytes.
    """
    found: dict[str, FileRecord] = {}
    for name, path in entries(root):
        if not is_regular(path):
            raise PublishError(f"{name} is a link or a special file: a version holds plain files only")
        found[name] = record(path)
    if not found:
        raise PublishError("the writer left no file: write the SavedModel into the directory it is given")
    return found


def share(root: Path) -> None:
    """Let every user read the tree, whatever the umask: servers run as another user than the publisher."""
    for parent, _, names in os.walk(root):
        Path(parent).chmod(DIRECTORY_MODE)
        for name in names:
            Path(parent, name).chmod(FILE_MODE)


def flush(path: Path) -> None:
    """Make one file's bytes or one directory's names durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_tree(root: Path) -> None:
    """Make the whole tree durable, contents before the directories that name them."""
    for parent, _, names in os.walk(root, topdown=False):
        for name in names:
            flush(Path(parent, name))
        flush(Path(parent))
