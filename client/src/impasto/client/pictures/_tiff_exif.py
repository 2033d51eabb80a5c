"""EXIF data into a TIFF file: libtiff, which compresses it, writes no folder of tags inside another.

A TIFF file is a folder of tags with offsets (TIFF 6.0, section 2), and EXIF data is one, too. The file gets a new main
folder at its end, with its own tags and those of the EXIF data; the pixels stay where they are.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

_PREFIX: Final = b"Exif\0\0"
_LONG: Final = 4
# Bytes of one value by its type, from BYTE to IFD.
_SIZES: Final = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4)
_FOLDERS: Final = (0x8769, 0x8825)  # the camera's and GPS's


class _Entry(NamedTuple):
    tag: int
    kind: int
    number: int
    content: bytes


def with_exif(tiff: bytes | memoryview, exif: bytes) -> bytes:
    """The TIFF file with EXIF data added.

    Args:
        tiff: a file of one page.
        exif: as `Image.Exif.tobytes` gives it.

    Raises:
        ValueError: it is no plain TIFF file, the byte orders differ, or it would be too long for its offsets.
    """
    block = exif.removeprefix(_PREFIX)
    if bytes(tiff[:4]) != block[:4] or block[:4] not in (b"II*\0", b"MM\0*"):
        raise ValueError("the byte orders of the file and its EXIF data differ")
    if len(tiff) + 2 * len(block) + 2**16 > 2**32:
        raise ValueError("the file is too long")
    order = "<" if block[:2] == b"II" else ">"
    result = bytearray(tiff)
    main = {entry.tag: entry for entry in _read(tiff, _first(tiff, order), order)}
    for entry in _read(block, _first(block, order), order):
        added = entry
        if entry.tag in _FOLDERS:
            inner = _read(block, struct.unpack(f"{order}I", entry.content)[0], order)
            added = _Entry(entry.tag, _LONG, 1, struct.pack(f"{order}I", _append(result, inner, order)))
        main[entry.tag] = added
    start = _append(result, [main[tag] for tag in sorted(main)], order)
    struct.pack_into(f"{order}I", result, 4, start)
    return bytes(result)


def _first(block: bytes | memoryview, order: str) -> int:
    offset: int = struct.unpack_from(f"{order}I", block, 4)[0]
    return offset


def _read(block: bytes | memoryview, offset: int, order: str) -> list[_Entry]:
    (number,) = struct.unpack_from(f"{order}H", block, offset)
    entries: list[_Entry] = []
    for position in range(offset + 2, offset + 2 + 12 * number, 12):
        tag, kind, values = struct.unpack_from(f"{order}HHI", block, position)
        size = _SIZES[int(kind)] * int(values)
        place = position + 8 if size <= 4 else struct.unpack_from(f"{order}I", block, position + 8)[0]
        entries.append(_Entry(tag, kind, values, bytes(block[place : place + size])))
    return entries


def _append(file: bytearray, entries: Sequence[_Entry], order: str) -> int:
    """Write a folder at the file's end, long values behind it; returns its offset."""
    file += bytes(len(file) % 2)
    start = len(file)
    behind = start + 2 + 12 * len(entries) + 4
    folder, values = struct.pack(f"{order}H", len(entries)), b""
    for entry in entries:
        folder += struct.pack(f"{order}HHI", entry.tag, entry.kind, entry.number)
        if len(entry.content) <= 4:
            folder += entry.content.ljust(4, b"\0")
        else:
            folder += struct.pack(f"{order}I", behind + len(values))
            values += entry.content + bytes(len(entry.content) % 2)
    file += folder + bytes(4) + values
    return start
