"""Terminals that a test gives to programs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Terminal:
    """A terminal that a program writes to.

    Attributes:
        end: the program's end, for `subprocess`.
    """

    end: int
    _reading: int
    _received: bytes = b""

    def until(self, pattern: bytes) -> str:
        """What has been written once this was, the pattern of `re`."""
        self._leave()
        while not re.search(pattern, self._received):
            assert self._read(), f"the program ended without {pattern!r}: {self._received!r}"
        return self._received.decode(errors="replace")

    def to_the_end(self) -> str:
        """What has been written once no program has the terminal open. Read this before a program is waited for.

        A program that writes more than a terminal holds waits until it is read.
        """
        self._leave()
        while self._read():
            pass
        return self._received.decode(errors="replace")

    def _leave(self) -> None:
        """Close the end that programs have inherited, so that theirs is the last."""
        if self.end >= 0:
            os.close(self.end)
            self.end = -1

    def _read(self) -> bool:
        try:
            more = os.read(self._reading, 65536)
        except OSError:  # so Linux says that nobody has it open any more
            return False
        self._received += more
        return bool(more)


@contextmanager
def terminal() -> Iterator[Terminal]:
    """A terminal of its own for a program."""
    import pty

    reading, end = pty.openpty()
    made = Terminal(end, reading)
    try:
        yield made
    finally:
        made._leave()
        os.close(reading)
