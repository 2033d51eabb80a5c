"""Text files that people write, as their editors save them; shared with export and serving."""

from __future__ import annotations

import codecs
from typing import Final

_WIDE: Final = (
    codecs.BOM_UTF16_LE,
    codecs.BOM_UTF16_BE,
    codecs.BOM_UTF32_BE,
)  # UTF-32 LE begins as UTF-16 LE does

MARKS: Final = (codecs.BOM_UTF8, *_WIDE)
"""Bytes that a text file may begin with and that are no part of its text."""


class NotUtf8(ValueError):  # noqa: N818 - as in impasto.client.errors
    """The content of a text file is not UTF-8; the message says what it seems to be, and the remedy."""


def decoded_text(content: bytes) -> str:
    """Return the text of a file: UTF-8, without the byte order mark that some editors put before it.

    Line ends are left as they are.

    Raises:
        NotUtf8: it is in another encoding, such as the UTF-16 of Windows PowerShell's `>`.
    """
    if content.startswith(_WIDE) or _looks_like_utf16(content):
        raise NotUtf8("it is UTF-16 or UTF-32, as some Windows programs write; save it as UTF-8")
    try:
        return content.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise NotUtf8(
            f"it is not UTF-8 from byte {error.start} on, in line {line}; save it as UTF-8"
        ) from error


def _looks_like_utf16(content: bytes) -> bool:
    """Return whether one of the first two bytes is zero, as in ASCII by UTF-16, and in no text by UTF-8."""
    return len(content) >= 2 and 0 in content[:2]
