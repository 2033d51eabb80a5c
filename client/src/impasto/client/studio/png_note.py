"""The making of a result, as JSON in a text chunk of its PNG: written into results, and read from what people drop.

What is read may come from anywhere: nothing is decompressed, and what is too long or no JSON counts as no note.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from typing import Any, Final, cast

from impasto.client.pictures._png import SIGNATURE
from impasto.client.pictures._png_writing import chunk

KEYWORD: Final = "impasto"
FORMAT: Final = 1

_LONGEST: Final = 64 * 1024
_MOST_CHUNKS: Final = 10_000
_HEAD: Final = 33
"""The length of the signature and of the chunk with the size, behind which the note is put."""

_UNCOMPRESSED: Final = b"\0\0\0\0\0"
"""The end of an iTXt's keyword, its two flags of compression, no language, no translated keyword."""


def with_note(png: bytes | memoryview, value: Mapping[str, Any]) -> bytes:
    """Return a PNG's bytes with a note."""
    text = json.dumps({KEYWORD: FORMAT, **value}, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    note = chunk(b"iTXt", KEYWORD.encode() + _UNCOMPRESSED + text.encode(errors="replace"))
    return b"".join((png[:_HEAD], note, png[_HEAD:]))


def read_note(data: bytes) -> dict[str, Any] | None:
    """Return the note in a PNG of ours; None if there is none that can be read."""
    if not data.startswith(SIGNATURE):
        return None
    for kind, content in _chunks(data):
        if kind == b"IDAT":  # ours stands before the pixels
            return None
        if kind == b"iTXt" and content.startswith(KEYWORD.encode() + _UNCOMPRESSED):
            return _parsed(content[len(KEYWORD) + len(_UNCOMPRESSED) :])
    return None


def _chunks(data: bytes) -> Generator[tuple[bytes, bytes], None, None]:
    position = len(SIGNATURE)
    for _ in range(_MOST_CHUNKS):
        length = int.from_bytes(data[position : position + 4], "big")
        end = position + 12 + length
        if end > len(data):
            return
        if length <= _LONGEST:
            yield data[position + 4 : position + 8], data[position + 8 : end - 4]
        position = end


def _parsed(text: bytes) -> dict[str, Any] | None:
    try:
        value: Any = json.loads(text.decode())
    except (ValueError, RecursionError):  # a number of thousands of digits is a ValueError, too
        return None
    if not isinstance(value, dict):
        return None
    note = cast("dict[str, Any]", value)
    return note if note.get(KEYWORD) == FORMAT else None
