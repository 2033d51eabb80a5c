"""The command line as a process of its own, which a test can kill, and waiting for what it does."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from servers.model_servers import ServerProcess, free_port, server_process

__all__ = ["ServerProcess", "free_port", "impasto", "server_process", "wait_until"]


def impasto(*arguments: str | Path, server: str) -> subprocess.Popen[str]:
    """Starts the command line as a process of its own."""
    command = [sys.executable, "-m", "impasto.client", *map(str, arguments), "--server", server]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_until(condition: Callable[[], bool], *, seconds: float = 240) -> None:
    """Waits for `condition`; AssertionError if it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "this did not happen in time"
        time.sleep(0.02)
