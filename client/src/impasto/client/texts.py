"""Texts for people and programs: JSON, files that people write, and foreign text made safe to show.

Foreign text comes from servers, models and manifests, and is in the names of files. A terminal obeys its control
characters, and bidirectional ones show it in another order than it has. Everything that is printed, and every message
of an ImpastoError, has gone through `printable`.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast


def json_text(value: Any, *, indent: int | None = 2) -> str:
    """Return a value as JSON in ASCII. NaN and infinity, for which JSON has no number, become null."""
    # DEL is the one control character that JSON leaves.
    return json.dumps(_finite(value), indent=indent, allow_nan=False).replace("\x7f", "\\u007f")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(entry) for key, entry in cast("Mapping[str, object]", value).items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in cast("Sequence[object]", value)]
    return None if isinstance(value, float) and not math.isfinite(value) else value


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


LONGEST: Final = 4000
"""The characters of a message that are shown at most. A server can send a thousand times as many."""

# C0, DEL and C1; what sets the direction of writing; separators that end a line for some programs; the byte order mark
# and its kin; and surrogates, which no encoding takes. The joiners of emoji and of Persian are not among them.
_UNSAFE: Final = (
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
_USER_IN_URL: Final = r"(?i)\b([a-z][a-z0-9+.-]{0,15}:/{1,2})[^\s/]{1,1000}@"
"""The user and the password in a URL; pathlib makes one slash of the two."""

_UNSAFE_BUT_LINES: Final = _UNSAFE.replace("\x00-\x1f", "\x00-\x08\x0b-\x1f")


def printable(text: str, *, longest: int | None = None) -> str:
    r"""Return a text with control and bidirectional characters escaped as Python writes them, such as `\x1b`.

    Everything else stays: accents, other scripts, emoji. What is escaped already is not escaped again. A URL loses its
    user and password.

    Args:
        text: of any origin; surrogates, by which Python stands for bytes that are no text, are escaped too.
        longest: the number of characters that are shown at most; of a longer text, the middle is left out.
    """
    return re.sub(_UNSAFE, _escaped, cut(without_password(text), longest))


def printable_lines(text: str) -> str:
    """Return what `printable` does, but keep lines and tabs: for a text that this program has put together."""
    return re.sub(_UNSAFE_BUT_LINES, _escaped, without_password(text))


def printable_message(text: str) -> str:
    """Return what `printable_lines` does, with all lines after the first set in.

    Some messages have several lines, and a name in them may hold a line break: what follows it is then no line that
    looks like one of this program's.
    """
    return printable_lines(text).replace("\n", "\n    ")


def without_password(text: str) -> str:
    """Return a text with `***` in the place of the user and the password of each URL in it."""
    return re.sub(_USER_IN_URL, r"\1***@", text)


def cut(text: str, longest: int | None) -> str:
    """Return a text with the middle left out if it has more characters than `longest`; None is no limit."""
    if longest is None or len(text) <= longest:
        return text
    # The end of a message is its remedy.
    end = longest // 4
    left_out = len(text) - longest
    return f"{text[: longest - end]} ... ({left_out:,} characters left out) ... {text[-end:]}"


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
