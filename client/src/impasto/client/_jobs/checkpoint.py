"""Checkpoint files: a job's Snapshot on disk, so that a killed client goes on where it was.

The file is numpy's .npz: an array for each of the snapshot's, and `header`, JSON in UTF-8.
"""

from __future__ import annotations

import io
import json
import os
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from impasto.client._jobs.steps import Snapshot
from impasto.client.errors import CheckpointError
from impasto.client.pictures import write_bytes

_FORMAT: Final = 1
_HEADER: Final = "header"
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
        """The snapshot in the file; None if there is no file.

        Raises:
            CheckpointError: it is no checkpoint, or damaged.
            OSError: it cannot be opened.
        """
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            header = json.loads(arrays.pop(_HEADER).tobytes())
            version, job, position = header["format"], dict(header["job"]), dict(header["position"])
        except Exception as error:  # the file may be anything, and numpy and zipfile raise accordingly
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
        write_bytes(self._path, _packed(self._not_written), overwrite=True)
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
    header = {"format": _FORMAT, "job": dict(snapshot.job), "position": dict(snapshot.position)}
    encoded = np.frombuffer(json.dumps(header).encode(), np.uint8)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:  # as numpy.savez writes it
        for name, array in {_HEADER: encoded, **snapshot.arrays}.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.save(file, array, allow_pickle=False)
    return buffer.getbuffer()
