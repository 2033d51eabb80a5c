"""Processes that a test which failed has left running, ended before the next test: a hook of pytest.

Python warns of a process whose object is dropped while it runs, and a warning is an error: the next test's.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    """End the processes that a test has started and, as it fails, has not ended."""
    begun = now()
    try:
        return (yield)
    except BaseException:
        end_processes(since=begun)
        raise


def now() -> float:
    """Seconds since the system started, by the clock that tells when a process was."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if sys.platform == "linux" else 0.0


def end_processes(*, since: float) -> None:
    """Kill the processes that this one has started since a moment of `now`, wait for them and close their pipes."""
    # By type alone: an object that is asked for its class may answer with anything.
    started = [found for found in gc.get_objects() if type(found) is subprocess.Popen]
    for process in started:
        if process.returncode is None and _start(process.pid) >= since:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()


def _start(pid: int) -> float:
    """The moment at which a process started; before every other for one that is gone or cannot be looked at."""
    try:
        after_name = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return -1.0
    # In whole ticks, cut off: one more, so that a process is not taken for an older one.
    return (int(after_name[19]) + 1) / os.sysconf("SC_CLK_TCK")
