"""`impasto-serving` as a process."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from processes.forked_scripts import run_forked_script
from servers.forked_commands import ForkedCommand

COMMAND = [sys.executable, "-m", "impasto.serving"]


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str, list[str]]]:
    """A server process, its address, and the lines that it printed before."""
    process = subprocess.Popen(
        [*COMMAND, "local", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line.rstrip())
            if match := re.match(r"Listening on (\S+)", line):
                yield process, match[1], lines
                return
        raise AssertionError(f"the server did not start: {process.communicate()}")
    finally:
        process.kill()
        process.communicate()


class ForkedServer(ForkedCommand):
    """A server process that is forked, which saves the import of TensorFlow, and has told its address."""

    def __init__(self, *arguments: str, log: Path) -> None:
        super().__init__(["local", "--port", "0", *arguments], log=log)
        self._log = log
        self.address = self.said(r"Listening on (\S+)")

    @property
    def output(self) -> str:
        """What it has said, on standard output and standard error."""
        return self._log.read_text() if self._log.exists() else ""

    def said(self, pattern: str) -> str:
        """The first group of a pattern that it says, once it does."""
        deadline = time.monotonic() + 240
        while not (match := re.search(pattern, self.output)):
            assert self.poll() is None, f"the server has ended: {self.output}"
            assert time.monotonic() < deadline, f"the server does not say {pattern}: {self.output}"
            time.sleep(0.02)
        return match[1]


@contextlib.contextmanager
def forked(*arguments: str, log: Path) -> Iterator[ForkedServer]:
    """A server process that is killed if it has not ended with the block."""
    process = ForkedServer(*arguments, log=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def failing(*arguments: str) -> tuple[int, str]:
    """The exit code of a command line in a forked process, and what it said on standard error."""
    done = run_forked_script("impasto.serving", *arguments)
    return done.returncode, done.stderr
