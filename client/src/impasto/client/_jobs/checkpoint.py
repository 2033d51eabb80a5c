"""Checkpoint files: a job's Snapshot on disk, so that a killed client goes on where it was.

The file is numpy's .npz: an array for each of the snapshot's, and `header`, JSON in UTF-8. It shows the picture, which
may be private, so a new one is for this user only; one that is there keeps its mode.
"""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from impasto.client._jobs.steps import Snapshot
from impasto.client.errors import CheckpointError
from impasto.client.pictures import write_bytes

_FORMAT: Final = 1
_HEADER: Final = "header"
_LONGEST_HEADER: Final = 1 << 20
_DEEPEST: Final = 8
_SECONDS: Final = 1.0
_SHARE: Final = 0.05
_REMEDY: Final = "delete it to begin anew, or name another"


class CheckpointFile:
    """A job's checkpoint on disk, written aside and renamed: it is whole or absent whenever the client is killed.

    It is rewritten at most once a second, and less often where that would take more than a twentieth of the time.

    Args:
        path: of the file, in a folder that exists. It may be there already: from a run that was cut short.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._not_written: Snapshot | None = None
        self._next_write = 0.0

    def read(self) -> Snapshot | None:
        """The snapshot in the file; None if there is no file. It takes as much memory as the file has bytes at most.

        Raises:
            CheckpointError: it is no checkpoint, or damaged.
            OSError: it cannot be opened.
        """
        from impasto.client._jobs.archive import ArchiveError, unpacked

        try:
            # Opening a pipe that nobody writes to would wait for a writer.
            descriptor = os.open(
                self._path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
            )
        except FileNotFoundError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            try:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise ArchiveError("a device, a pipe or a socket")
                arrays = unpacked(file)
                header = _header(arrays.pop(_HEADER))
                version, job, position = header["format"], dict(header["job"]), dict(header["position"])
            except (ArchiveError, KeyError, TypeError, ValueError, RecursionError) as error:
                raise CheckpointError(f"{self._path} is no checkpoint, or damaged; {_REMEDY}") from error
        if version != _FORMAT:
            raise CheckpointError(
                f"{self._path} has format {version}, and this program reads {_FORMAT}; {_REMEDY}"
            )
        return Snapshot(job, position, arrays)

    def offer(self, snapshot: Snapshot) -> None:
        """Write `snapshot` if it is time to. Raises UnwritableOutput."""
        self._not_written = snapshot
        if time.monotonic() >= self._next_write:
            self.flush()

    def flush(self) -> None:
        """Write the last snapshot that was offered, if it is not written yet. Raises UnwritableOutput."""
        if self._not_written is None:
            return
        started = time.monotonic()
        write_bytes(self._path, _packed(self._not_written), overwrite=True, private=True)
        ended = time.monotonic()
        self._next_write = ended + max(_SECONDS, (ended - started) / _SHARE)
        self._not_written = None


def check_same_job(found: Snapshot, job: Mapping[str, Any]) -> None:
    """Check that a snapshot is of `job`.

    Raises:
        CheckpointError: it is not; names what differs.
    """
    differences = [
        f"{name} is {found.job.get(name)!r} there and {job.get(name)!r} here"
        for name in (*job, *(found.job.keys() - job.keys()))
        if found.job.get(name) != job.get(name)
    ]
    if differences:
        raise CheckpointError(
            f"the checkpoint is of another job: {'; '.join(differences)}. To go on, {_REMEDY}"
        )


def _packed(snapshot: Snapshot) -> memoryview:
    from impasto.client._jobs.archive import packed

    header = {"format": _FORMAT, "job": dict(snapshot.job), "position": dict(snapshot.position)}
    encoded = np.frombuffer(json.dumps(header, allow_nan=False).encode(), np.uint8)
    return packed({_HEADER: encoded, **snapshot.arrays})


def _header(encoded: NDArray[Any]) -> dict[str, Any]:
    if encoded.nbytes > _LONGEST_HEADER:
        raise ValueError(f"a header of {encoded.nbytes} bytes")
    header = json.loads(encoded.tobytes(), parse_constant=_refuse)
    if not _is_shallow(header, _DEEPEST):
        raise ValueError("a header of lists in lists in lists")
    return dict(header)


def _is_shallow(value: Any, levels: int) -> bool:
    if not isinstance(value, list | dict):
        return True
    inner = (
        list(cast("dict[str, object]", value).values())
        if isinstance(value, dict)
        else cast("list[object]", value)
    )
    return levels > 0 and all(_is_shallow(each, levels - 1) for each in inner)


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no number in JSON")
