"""Children that are forked from the process that calls this, and what became of each."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Final

HANG: Final = 240
"""Seconds after which a child hangs, whatever the machine is busy with."""


def child(work: Callable[[], object], *, leaves: bool = False) -> str:
    """Fork, do `work` in the child and wait for its end.

    Args:
        work: its result is what became of the child.
        leaves: whether the child ends as Python does, with all that runs at its exit, in place of at once.

    Returns:
        The result as text, the exception's type and message, or the signal that ended it.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        _do(work, reading, writing, leaves=leaves)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as said:
        words = said.read()
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return f"signal {os.WTERMSIG(status)} after {words!r}"
    return words if os.WEXITSTATUS(status) == 0 else f"exit code {os.WEXITSTATUS(status)} after {words!r}"


def _do(work: Callable[[], object], reading: int, writing: int, *, leaves: bool) -> None:
    signal.alarm(HANG)
    os.close(reading)
    try:
        words = str(work())
    except BaseException as error:  # noqa: BLE001 - told to whoever forked
        words = f"{type(error).__name__}: {error}"
        if not isinstance(error, RuntimeError):
            traceback.print_exc()
    os.write(writing, words.encode())
    os.close(writing)
    if leaves:
        sys.exit()
    os._exit(0)
