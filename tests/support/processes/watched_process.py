"""What the system says about a running process. Linux only."""

from __future__ import annotations

import fcntl
import os
import sys
import termios
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import pytest

MEGABYTE: Final = 1 << 20
GIGABYTE: Final = 1 << 30

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@dataclass(frozen=True)
class Usage:
    """What a process holds.

    Attributes:
        resident: bytes of memory.
        peak: the most that `resident` has been.
        threads: how many there are.
        descriptors: how many files and sockets are open.
    """

    resident: int
    peak: int
    threads: int
    descriptors: int


def usage(pid: int | str = "self") -> Usage:
    """Of the process with this number, or of this one."""
    process = Path("/proc") / str(pid)
    lines = (process / "status").read_text().splitlines()
    status = {name: value.split() for name, _, value in (line.partition(":") for line in lines)}
    return Usage(
        resident=int(status["VmRSS"][0]) * 1024,
        peak=int(status["VmHWM"][0]) * 1024,
        threads=int(status["Threads"][0]),
        descriptors=len(list((process / "fd").iterdir())),
    )


def computing_seconds(pid: int) -> float:
    """Processor seconds that the process has used so far."""
    after_name = _after_name(pid)
    ticks = int(after_name[11]) + int(after_name[12])  # utime and stime, the 14th and 15th field
    return ticks / os.sysconf("SC_CLK_TCK")


def has_read_all(pid: int, pipe: IO[bytes]) -> bool:
    """Whether the process has taken everything out of a pipe, whose writing end this is, and waits for more."""
    unread = array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, unread)
    return unread[0] == 0 and _after_name(pid)[0] == "S"


def _after_name(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the third, the state of the main thread, on."""
    return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
