"""Terminals that a test gives to programs."""

from __future__ import annotations

import os


def read_to_the_end(terminal: int) -> str:
    """What is written to a terminal until its other end is closed."""
    received = b""
    while True:
        try:
            more = os.read(terminal, 65536)
        except OSError:  # so Linux says that nobody has it open any more
            break
        if not more:
            break
        received += more
    os.close(terminal)
    return received.decode(errors="replace")
