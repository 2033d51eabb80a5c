"""Bytes of a file that somebody named, without waiting for ever and without filling the memory."""

from __future__ import annotations

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
    with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123 - of a descriptor
        kind = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(kind):
            raise IsADirectoryError(21, "Is a directory", str(path))
        if not (stat.S_ISREG(kind) or stat.S_ISFIFO(kind)):
            raise NotAnImage(f"{path} is a device or a socket, not a picture's file")
        if hasattr(os, "set_blocking"):
            os.set_blocking(descriptor, True)
        limit = max_pixels * _BYTES_A_PIXEL + _BESIDE
        if os.fstat(descriptor).st_size > limit:
            raise ImageTooLarge(_too_long(path, max_pixels))
        data = bytearray()
        while piece := file.read(_PIECE):
            data += piece
            if len(data) > limit:
                raise ImageTooLarge(_too_long(path, max_pixels))
    if not data:
        raise EmptyImage(f"{path} is empty: 0 bytes")
    return bytes(data)


def _too_long(path: Path, max_pixels: int) -> str:
    return (
        f"{path} has more bytes than a picture of {max_pixels:,} pixels, the limit, can take; "
        "raise max_pixels if you trust it"
    )
