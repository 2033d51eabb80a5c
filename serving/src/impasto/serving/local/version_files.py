"""The files of a version that belong to its SavedModel: their fingerprint, and whether they can be read at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final, TypeAlias

import grpc

from impasto.serving.errors import StatusError

Fingerprint: TypeAlias = frozenset[tuple[str, int, int]]

_FILES: Final = ("saved_model.pb", "saved_model.pbtxt", "fingerprint.pb")
_FOLDERS: Final = ("variables", "assets", "assets.extra")

_MOST: Final = 10_000
"""The most entries of a folder that are looked at: a link may lead to any folder."""


def fingerprint(directory: Path) -> Fingerprint:
    """Return the files of a SavedModel with their sizes and times; what cannot be read is left out.

    Only the names of a SavedModel are looked at, and folders in its folders are not entered: whatever else lies in a
    version, or is linked into it, does not count.
    """
    found: set[tuple[str, int, int]] = set()
    for path in _paths(directory):
        try:
            status = Path(path).stat()
        except (OSError, ValueError):
            continue
        found.add((path, status.st_size, status.st_mtime_ns))
    return frozenset(found)


def check_files(directory: Path) -> None:
    """Refuse a version with a file that a reader would wait for without end, such as a pipe.

    Raises:
        StatusError: FAILED_PRECONDITION, which names the file.
    """
    for path in _paths(directory):
        try:
            mode = Path(path).stat().st_mode
        except (OSError, ValueError):
            continue  # the loader says what is missing
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise StatusError(
                grpc.StatusCode.FAILED_PRECONDITION,
                f"{path} is neither a file nor a folder: a SavedModel holds plain files only. Remove it.",
            )


def _paths(directory: Path) -> Iterator[str]:
    yield from (os.path.join(directory, name) for name in _FILES)  # noqa: PTH118  # text, for odd names
    for name in _FOLDERS:
        try:
            with os.scandir(directory / name) as entries:
                yield from (entry.path for entry in islice(entries, _MOST))
        except OSError:
            continue
