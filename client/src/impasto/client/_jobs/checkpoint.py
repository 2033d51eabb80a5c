"""Checkpoint files: a job's Snapshot on disk, so that a killed client goes on where it was; and the arrays in them.

The file may come from anybody, so nothing in it is believed. Since nothing is compressed, what is unpacked is never
larger than the file; every size is compared with the file's before memory is taken for it, and nothing is evaluated.

The file is numpy's .npz: an array for each of the snapshot's, and `header`, JSON in UTF-8. It shows the picture, which
may be private, so a new one is for this user only; one that is there keeps its mode.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import stat
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

import numpy as np
from numpy.typing import NDArray

from impasto.client._jobs.steps import Snapshot
from impasto.client.errors import CheckpointError
from impasto.client.pictures import write_bytes

if TYPE_CHECKING:
    import zipfile

_MOST_ARRAYS: Final = 64
_BLOCK: Final = 1 << 20
_STORED: Final = 0  # zipfile's number for it

# What numpy.save writes of a contiguous array of plain numbers, format 1.0.
_MAGIC: Final = b"\x93NUMPY\x01\x00"
_LENGTH: Final = struct.Struct("<H")
_NPY_HEADER: Final = (
    rb"\{'descr': '([<>|][bfiu][1248])', "
    rb"'fortran_order': False, 'shape': \(((?:\d{1,18}(?:, ?|,?(?=\))))*)\), \} *\n"
)


class _ArchiveError(Exception):
    """Not an archive that `packed` makes."""


def packed(arrays: Mapping[str, NDArray[Any]]) -> memoryview:
    """Return an archive of arrays of numbers, as numpy.savez writes it."""
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.save(file, np.asarray(array, order="C"), allow_pickle=False)
    return buffer.getbuffer()


def unpacked(file: BinaryIO) -> dict[str, NDArray[Any]]:
    """Return the arrays of an archive. They take as much memory as the file has bytes at most.

    Raises:
        _ArchiveError: it is none of those that `packed` makes, or is damaged.
    """
    import zipfile

    size = file.seek(0, io.SEEK_END)
    try:
        with zipfile.ZipFile(_InBlocks(file)) as archive:
            _check_listing(archive.infolist(), size)
            return {info.filename.removesuffix(".npy"): _read(archive, info) for info in archive.infolist()}
    except _ArchiveError:
        raise
    except (
        Exception
    ) as error:  # zipfile raises whatever the bytes lead it to: struct.error, OSError, MemoryError
        raise _ArchiveError(str(error)) from error


class _InBlocks(io.RawIOBase):
    """A file for zipfile, which would read a listing of any length at once."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if size > _BLOCK:
            raise _ArchiveError(
                f"{size} bytes at once are more than an archive of {_MOST_ARRAYS} arrays needs"
            )
        return self._file.read(_BLOCK if size < 0 else size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True


def _check_listing(infos: list[zipfile.ZipInfo], size: int) -> None:
    names = [info.filename for info in infos]
    if len(infos) > _MOST_ARRAYS or len(set(names)) < len(names):
        raise _ArchiveError(f"{len(infos)} arrays are too many, or two have one name")
    if not all(re.fullmatch(r"\w{1,100}\.npy", name, re.ASCII) for name in names):
        raise _ArchiveError("an array's name is none")
    if any(info.compress_type != _STORED or info.compress_size != info.file_size for info in infos):
        raise _ArchiveError("an array is compressed")
    if (
        min((info.header_offset for info in infos), default=0) != 0
    ):  # zipfile reads what has something before it
        raise _ArchiveError("it does not begin with an array")
    if sum(info.file_size for info in infos) > size:  # two entries may claim the same bytes
        raise _ArchiveError("the arrays have more bytes than the file")


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    """Read one array, and compare its bytes with their checksum."""
    with archive.open(info) as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise _ArchiveError(f"{info.filename} is no array")
        (length,) = _LENGTH.unpack(file.read(_LENGTH.size))
        found = re.fullmatch(_NPY_HEADER, file.read(length))
        if found is None:
            raise _ArchiveError(f"{info.filename} is no array of plain numbers")
        dtype = np.dtype(found[1].decode())
        shape = tuple(int(part) for part in found[2].split(b",") if part.strip())
        begin = len(_MAGIC) + _LENGTH.size + length
        if len(shape) > 8 or math.prod(shape) * dtype.itemsize != info.file_size - begin:
            raise _ArchiveError(f"{info.filename} has not the bytes of its shape")
        size: int = info.file_size - begin
        values: NDArray[np.uint8] = np.empty(size, np.uint8)
        at = 0
        while at < size:
            block = np.frombuffer(file.read(_BLOCK), np.uint8)  # at the end zipfile compares the checksum
            if not len(block):
                raise _ArchiveError(f"{info.filename} ends early")
            values[at : at + len(block)] = block
            at += len(block)
        return values.view(dtype).reshape(shape)


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
                    raise _ArchiveError("a device, a pipe or a socket")
                arrays = unpacked(file)
                header = _header(arrays.pop(_HEADER))
                version, job, position = header["format"], dict(header["job"]), dict(header["position"])
            except (_ArchiveError, KeyError, TypeError, ValueError, RecursionError) as error:
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
