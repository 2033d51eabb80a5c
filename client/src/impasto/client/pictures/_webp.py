"""Look into a WebP file before its decoder, which reserves what the header claims and refuses a cut last chunk."""

from __future__ import annotations

import struct
from typing import Final

from impasto.client.pictures._notes import Notes

_HEADER: Final = 12
_EXTENDED: Final = b"VP8X"
_PIXELS: Final = (b"VP8 ", b"VP8L", b"ANMF")
# Bits of the extended header that announce a chunk, of the WebP container specification.
_ANNOUNCED: Final = {b"EXIF": 0x08, b"XMP ": 0x04}


def is_webp(data: bytes) -> bool:
    """Tell whether the data begins as a WebP file does."""
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def claimed_size(data: bytes) -> tuple[int, int]:
    """The width and height in the header of an extended file, which alone may be large; else 1 x 1."""
    if data[_HEADER : _HEADER + 4] != _EXTENDED or len(data) < 30:
        return 1, 1
    return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")


def mended(data: bytes, notes: Notes) -> bytes:
    """The file without a last chunk that ends early, if its pixels stand before that; else the very bytes."""
    position, has_pixels = _HEADER, False
    while position + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, position)
        end = position + 8 + length
        if end > len(data):
            break
        has_pixels = has_pixels or kind in _PIXELS
        position = end + length % 2
    if position >= len(data) or not has_pixels or data[position : position + 4] in _PIXELS:
        return data
    kind = data[position : position + 4]
    if _HEADER + int.from_bytes(data[4:8], "little") - 4 <= position:  # something behind the file's own end
        return data
    notes.say("the file ends early behind the pixels; what is left there is not read")
    kept = bytearray(data[:position])
    kept[4:8] = struct.pack("<I", position - 8)
    if data[_HEADER : _HEADER + 4] == _EXTENDED:
        kept[20] &= ~_ANNOUNCED.get(kind, 0) & 0xFF
    return bytes(kept)
