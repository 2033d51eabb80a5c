"""Bytes of a file that somebody named, without waiting for ever and without filling the memory."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

from impasto.client.errors import EmptyImage, ImageTooLarge, NotAnImage

# No format that is read takes more: four samples of 32 bits a pixel, and what a camera puts beside them.
_BYTES_A_PIXEL: Final = 16
_BESIDE: Final = 256 * 2**20
_PIECE: Final = 2**20


def read_file(path: Path, *, max_pixels: int) -> bytes:
    """Read a picture's file.

    Raises:
        OSError: it cannot be opened or read.
        NotAnImage: it is a device, such as /dev/zero, or a socket.
        EmptyImage: it has no bytes, or is a pipe that nobody writes to.
        ImageTooLarge: it has more bytes than `max_pixels` can take.
    """
    # Opening a pipe that nobody writes to would wait for a writer.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        _check_kind(path, os.fstat(descriptor).st_mode)
        if hasattr(os, "set_blocking"):
            os.set_blocking(descriptor, True)
        data = _read(descriptor, max_pixels * _BYTES_A_PIXEL + _BESIDE)
    finally:
        os.close(descriptor)
    if data is None:
        raise ImageTooLarge(
            f"{path} has more bytes than a picture of {max_pixels:,} pixels, the limit, can take; "
            "raise max_pixels if you trust it"
        )
    if not data:
        raise EmptyImage(f"{path} is empty: 0 bytes")
    return data


def _check_kind(path: Path, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
        raise NotAnImage(f"{path} is a device or a socket, not a picture's file")


def _read(descriptor: int, limit: int) -> bytes | None:
    """All bytes of a file, or None if there are more than `limit`."""
    size = os.fstat(descriptor).st_size
    if size > limit:
        return None
    pieces: list[bytes] = []
    length = 0
    while piece := os.read(descriptor, max(_PIECE, size - length)):
        pieces.append(piece)
        length += len(piece)
        if length > limit:
            return None
    return b"".join(pieces)
