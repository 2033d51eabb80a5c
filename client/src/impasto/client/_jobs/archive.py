"""The arrays of a checkpoint as an archive, numpy's .npz without compression, and back.

The archive may come from anybody, so nothing in it is believed. Since nothing is compressed, what is unpacked is never
larger than the file; every size is compared with the file's before memory is taken for it, and nothing is evaluated.
"""

from __future__ import annotations

import io
import math
import re
import struct
import zipfile
from collections.abc import Mapping
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

_MOST_ARRAYS: Final = 64
_BLOCK: Final = 1 << 20

# What numpy.save writes of a contiguous array of plain numbers, format 1.0.
_MAGIC: Final = b"\x93NUMPY\x01\x00"
_LENGTH: Final = struct.Struct("<H")
_NPY_HEADER: Final = (
    rb"\{'descr': '([<>|][bfiu][1248])', "
    rb"'fortran_order': False, 'shape': \(((?:\d{1,18}(?:, ?|,?(?=\))))*)\), \} *\n"
)


class ArchiveError(Exception):
    """Not an archive that `packed` makes."""


def packed(arrays: Mapping[str, NDArray[Any]]) -> memoryview:
    """Return an archive of arrays of numbers, as numpy.savez writes it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.save(file, np.asarray(array, order="C"), allow_pickle=False)
    return buffer.getbuffer()


def unpacked(file: BinaryIO) -> dict[str, NDArray[Any]]:
    """Return the arrays of an archive. They take as much memory as the file has bytes at most.

    Raises:
        ArchiveError: it is none of those that `packed` makes, or is damaged.
    """
    size = file.seek(0, io.SEEK_END)
    try:
        with zipfile.ZipFile(_InBlocks(file)) as archive:
            _check_listing(archive.infolist(), size)
            return {info.filename.removesuffix(".npy"): _read(archive, info) for info in archive.infolist()}
    except ArchiveError:
        raise
    except (
        Exception
    ) as error:  # zipfile raises whatever the bytes lead it to: struct.error, OSError, MemoryError
        raise ArchiveError(str(error)) from error


class _InBlocks(io.RawIOBase):
    """A file for zipfile, which would read a listing of any length at once."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if size > _BLOCK:
            raise ArchiveError(
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
        raise ArchiveError(f"{len(infos)} arrays are too many, or two have one name")
    if not all(re.fullmatch(r"\w{1,100}\.npy", name, re.ASCII) for name in names):
        raise ArchiveError("an array's name is none")
    if any(
        info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size for info in infos
    ):
        raise ArchiveError("an array is compressed")
    if (
        min((info.header_offset for info in infos), default=0) != 0
    ):  # zipfile reads what has something before it
        raise ArchiveError("it does not begin with an array")
    if sum(info.file_size for info in infos) > size:  # two entries may claim the same bytes
        raise ArchiveError("the arrays have more bytes than the file")


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    """Read one array, and compare its bytes with their checksum."""
    with archive.open(info) as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise ArchiveError(f"{info.filename} is no array")
        (length,) = _LENGTH.unpack(file.read(_LENGTH.size))
        found = re.fullmatch(_NPY_HEADER, file.read(length))
        if found is None:
            raise ArchiveError(f"{info.filename} is no array of plain numbers")
        dtype = np.dtype(found[1].decode())
        shape = tuple(int(part) for part in found[2].split(b",") if part.strip())
        begin = len(_MAGIC) + _LENGTH.size + length
        if len(shape) > 8 or math.prod(shape) * dtype.itemsize != info.file_size - begin:
            raise ArchiveError(f"{info.filename} has not the bytes of its shape")
        size: int = info.file_size - begin
        values: NDArray[np.uint8] = np.empty(size, np.uint8)
        at = 0
        while at < size:
            block = np.frombuffer(file.read(_BLOCK), np.uint8)  # at the end zipfile compares the checksum
            if not len(block):
                raise ArchiveError(f"{info.filename} ends early")
            values[at : at + len(block)] = block
            at += len(block)
        return values.view(dtype).reshape(shape)
