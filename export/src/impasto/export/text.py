"""Text from files, as a terminal may show it."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return a text with everything escaped that does not print: control and bidi characters, stray bytes."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
