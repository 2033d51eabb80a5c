"""Make a PNG file readable that every viewer shows: leave out what is not its picture and would stop Pillow."""

from __future__ import annotations

import struct
import zlib
from typing import Final, NamedTuple

from impasto.client.pictures._notes import Notes

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
GRAY: Final = 0
COLOUR: Final = 2
GRAY_ALPHA: Final = 4

MAX_PROFILE: Final = 16 * 2**20
"""The largest ICC profile that is kept, unpacked; JPEG's own limit."""

_SMALL_TEXT: Final = 2**16
# Chunks beside the critical ones that say something about the picture which is used here.
_USED: Final = (b"tRNS", b"pHYs", b"eXIf", b"acTL", b"fcTL", b"fdAT")
_FRAMES: Final = (b"acTL", b"fdAT")
_TEXTS: Final = (b"tEXt", b"zTXt", b"iTXt")
# Text that is EXIF data, as ImageMagick writes it, or may hold the orientation.
_USED_TEXTS: Final = (b"Raw profile type exif\0", b"Raw profile type APP1\0", b"XML:com.adobe.xmp\0\0")


class TidyPng(NamedTuple):
    """A PNG file without what would stop its reader.

    Attributes:
        data: the file; the very bytes if there was nothing to do.
        profile: the ICC profile, unpacked, or None. It is no longer in `data`.
        depth: bits a sample.
        colour: PNG's colour type.
        ends_early: whether the file ends before its picture does.
    """

    data: bytes
    profile: bytes | None
    depth: int
    colour: int
    ends_early: bool


def tidied(data: bytes, notes: Notes) -> TidyPng:
    """Take a PNG file apart and keep the chunks that make its picture.

    Text, however long, is left out; so are chunks beside the picture whose checksum is wrong, as libpng does, and
    what ends early behind the picture.
    """
    view = memoryview(data)
    if data[12:16] != b"IHDR" or len(data) < 33:
        return TidyPng(data, None, 0, -1, True)
    depth, colour = data[24], data[25]
    kept: list[bytes | memoryview] = [SIGNATURE]
    profile: bytes | None = None
    position, has_pixels, whole = len(SIGNATURE), False, False
    while position + 8 <= len(data) and not whole:
        length, kind = struct.unpack_from(">I4s", data, position)
        body, end = position + 8, position + 12 + length
        if end > len(data) or not kind.isalpha():
            if not has_pixels or kind in (b"IDAT", b"fdAT"):
                kept.append(view[position:])
            else:
                notes.say(
                    "the file ends early or is damaged behind the pixels; what is left there is not read"
                )
                whole = True
            break
        content, chunk = view[body : body + length], view[position:end]
        position = end
        has_pixels = has_pixels or kind == b"IDAT"
        whole = kind == b"IEND"
        if not kind[0] & 0x20:  # a critical chunk
            kept.append(chunk)
        elif zlib.crc32(view[body - 4 : body + length]) != int.from_bytes(view[end - 4 : end], "big"):
            notes.say(f"the checksum of its {kind.decode()} data is wrong; that part is left out")
        elif kind == b"iCCP":
            profile = _profile(bytes(content), notes)
        elif kind == b"tRNS":
            kept.append(_key(bytes(content), depth, colour))
        elif kind in _USED or (kind in _TEXTS and _is_used(content)):
            kept.append(chunk)
    kinds = {bytes(chunk[4:8]) for chunk in kept}
    if b"acTL" in kinds and b"fcTL" not in kinds:
        notes.say("it is said to move, and has no frames; its still picture is taken")
        kept = [chunk for chunk in kept if chunk[4:8] not in _FRAMES]
    if has_pixels and not (kept[-1][4:8] == b"IEND" or _is_cut(kept[-1])):
        kept.append(_chunk(b"IEND", b""))
    return TidyPng(b"".join(kept), profile, depth, colour, not whole)


def _is_cut(chunk: bytes | memoryview) -> bool:
    return len(chunk) < 12 or len(chunk) != 12 + int.from_bytes(chunk[:4], "big")


def _is_used(content: memoryview) -> bool:
    return len(content) <= _SMALL_TEXT and bytes(content[:32]).startswith(_USED_TEXTS)


def _profile(content: bytes, notes: Notes) -> bytes | None:
    """The profile behind its name and a zero for the method."""
    _, _, packed = content.partition(b"\0")
    unpacker = zlib.decompressobj()
    try:
        profile = unpacker.decompress(packed[1:], MAX_PROFILE)
    except zlib.error:
        notes.say("its colour profile is damaged and is left out")
        return None
    if unpacker.unconsumed_tail:
        notes.say(f"its colour profile has more than {MAX_PROFILE:,} bytes and is left out")
        return None
    return profile


def _key(content: bytes, depth: int, colour: int) -> bytes:
    """The transparent colour with its low bits only, as the PNG specification says (11.3.2.1), and as Pillow needs it:
    Pillow stretches 2 and 4 bits to 8 and compares with this afterwards."""
    if colour not in (GRAY, COLOUR) or len(content) not in (2, 6):
        return _chunk(b"tRNS", content)
    values = [value & (2**depth - 1) for value in struct.unpack(f">{len(content) // 2}H", content)]
    if colour == GRAY and depth in (2, 4):
        values = [value * 255 // (2**depth - 1) for value in values]
    return _chunk(b"tRNS", struct.pack(f">{len(values)}H", *values))


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
