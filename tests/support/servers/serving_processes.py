"""`impasto-serving` as a process."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator

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


def failing(*arguments: str) -> tuple[int, str]:
    """The exit code of a command line, and what it said on standard error."""
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True)
    return done.returncode, done.stderr
