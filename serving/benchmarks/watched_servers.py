"""Servers that a benchmark starts, and the memory of their processes, from /proc: Linux only."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click


@contextmanager
def started(*command: str) -> Iterator[tuple[str, int]]:
    """A server that is run by this Python and says where it listens: its address and process id."""
    with subprocess.Popen(
        [sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if found := re.match(r"Listening on (\S+)", line):
                    yield found[1], process.pid
                    return
            raise click.ClickException("a server did not start")
        finally:
            process.terminate()


def memory(pid: int, name: str) -> float:
    """A process's resident memory in bytes: VmRSS now, VmHWM at most since `reset_peak`."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"{name}:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]


def reset_peak(pid: int) -> None:
    """Let the peak start from the memory in use now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
