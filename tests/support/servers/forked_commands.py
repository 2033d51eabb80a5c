"""`impasto-serving` in a process forked from one that has imported TensorFlow."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from processes.forked_scripts import QUIET, forking, redirect, take_environment


class ForkedCommand:
    """The command line as a process, with the methods of subprocess.Popen.

    Args:
        arguments: of `impasto-serving`.
        log: the file that gets what it says.
    """

    def __init__(self, arguments: Sequence[str], *, log: Path) -> None:
        self._process = forking().Process(
            target=_run, args=(list(arguments), log, {**os.environ, **QUIET}), daemon=True
        )
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Waits for its end; the exit code."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("impasto-serving", timeout or 0)
        return self._process.exitcode

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()


def _run(arguments: list[str], log: Path, environment: dict[str, str]) -> None:
    """Runs in the forked process."""
    from impasto.serving.cli import main

    take_environment(environment)
    redirect(log, log)
    main(arguments, prog_name="impasto-serving")
