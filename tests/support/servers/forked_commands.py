"""`impasto-serving` in a process forked from one that has imported TensorFlow: the import takes seconds each time."""

from __future__ import annotations

import functools
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Sequence
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from pathlib import Path
from unittest import mock

QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3"}

# A process with threads cannot be forked soundly, and NumPy's OpenBLAS starts some as it is imported. TensorFlow and
# gRPC start theirs with the first session and the first server, which only the forked processes have.
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}

# Without load_probe: test_load_check.py knows the process that it kills by that word in its command line.
_IMPORTED = ["impasto.serving.cli", "impasto.serving.local.core", "impasto.serving.local.handlers"]


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


@functools.cache
def forking() -> ForkServerContext:
    """The context whose processes are forked. Their parent is started once for each process of tests."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_IMPORTED)
    with mock.patch.dict(os.environ, {**QUIET, **_ONE_THREAD}):
        forkserver.ensure_running()
    return context


def _run(arguments: list[str], log: Path, environment: dict[str, str]) -> None:
    """Runs in the forked process."""
    from impasto.serving.cli import main

    os.environ.clear()
    os.environ.update(environment)
    with log.open("ab") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    main(arguments, prog_name="impasto-serving")
