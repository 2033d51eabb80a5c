"""Text of foreign origin, made safe to show: from servers, models, manifests, and the names of files.

A terminal obeys control characters, and bidirectional ones show a text in another order than it has. Everything that is
printed, and every message of an ImpastoError, has gone through `printable`.
"""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 4000
"""The characters of a message that are shown at most. A server can send a thousand times as many."""

# C0, DEL and C1; what sets the direction of writing; separators that end a line for some programs; the byte order mark
# and its kin; and surrogates, which no encoding takes. The joiners of emoji and of Persian are not among them.
_UNSAFE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
_PASSWORD: Final = re.compile(r"\b([a-z][a-z0-9+.-]{0,15}:/{1,2})[^\s/]{1,1000}@", re.IGNORECASE)
"""The user and the password in a URL; pathlib makes one slash of the two."""

_UNSAFE_BUT_LINES: Final = re.compile(_UNSAFE.pattern.replace("\x00-\x1f", "\x00-\x08\x0b-\x1f"))


def printable(text: str, *, longest: int | None = None) -> str:
    r"""Return a text with control and bidirectional characters escaped as Python writes them, such as `\x1b`.

    Everything else stays: accents, other scripts, emoji. What is escaped already is not escaped again. A URL loses its
    user and password.

    Args:
        text: of any origin; surrogates, by which Python stands for bytes that are no text, are escaped too.
        longest: the number of characters that are shown at most; of a longer text, the middle is left out.
    """
    return _UNSAFE.sub(_escaped, cut(without_password(text), longest))


def printable_lines(text: str) -> str:
    """Return what `printable` does, but keep lines and tabs: for a text that this program has put together."""
    return _UNSAFE_BUT_LINES.sub(_escaped, without_password(text))


def printable_message(text: str) -> str:
    """Return what `printable_lines` does, with all lines after the first set in.

    Some messages have several lines, and a name in them may hold a line break: what follows it is then no line that
    looks like one of this program's.
    """
    return printable_lines(text).replace("\n", "\n    ")


def without_password(text: str) -> str:
    """Return a text with `***` in the place of the user and the password of each URL in it."""
    return _PASSWORD.sub(r"\1***@", text)


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
