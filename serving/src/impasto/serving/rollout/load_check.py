"""The check that versions load and answer, in a child process that may crash, hang or run out of memory."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from impasto.client.texts import printable

_LAST_WORDS: Final = 400
"""The most characters of a crashed child's last output that are repeated."""

_BLOCK: Final = 1 << 16


@dataclass(frozen=True)
class VersionOnDisk:
    """One version of a model, and its directory on this machine."""

    model: str
    version: int
    directory: Path

    def __str__(self) -> str:
        return f"version {self.version} of {self.model}"


@dataclass(frozen=True)
class Loaded:
    """The outcome of loading a version.

    Attributes:
        error: the reason why the version cannot be served; None if it can.
        signatures: the names of its signatures.
        differences: the differences of its signatures from the model's contract, if there is one.
        records: the number of warm-up records that ran.
        called: the signatures that were called without inputs because there was no warm-up record.
    """

    error: str | None = None
    signatures: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    records: int = 0
    called: tuple[str, ...] = ()


def load_each(versions: Sequence[VersionOnDisk], *, timeout: float) -> Iterator[tuple[VersionOnDisk, Loaded]]:
    """Load versions one after the other, on the processor, and yield the outcome of each.

    Args:
        versions: the versions; one process loads them all, and after a crash a new one loads the rest.
        timeout: the seconds that each may take.
    """
    waiting = list(versions)
    while waiting:
        with contextlib.closing(_Child()) as child:
            while waiting and child.is_alive:
                yield waiting[0], child.load(waiting.pop(0), timeout)


_TRACE: Final = ("@ ", "***")
"""The beginnings of the lines of the stack that native code prints after its last words."""


class _Child:
    """A process that loads versions."""

    def __init__(self) -> None:
        self.is_alive = True
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
        self._answers, writing = os.pipe()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", "impasto.serving.rollout.load_probe", str(writing)],
                stdin=subprocess.PIPE,
                stdout=self._said,
                stderr=self._said,
                pass_fds=[writing],
                # A GPU's memory may be the running server's.
                env={"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
            )
        finally:
            os.close(writing)

    def close(self) -> None:
        """End the process."""
        self._end()
        os.close(self._answers)
        self._said.close()

    def load(self, version: VersionOnDisk, timeout: float) -> Loaded:
        """Load one version; the child may be dead afterwards."""
        wanted = {
            "model": version.model,
            "version": version.version,
            "directory": str(version.directory.absolute()),
        }
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(wanted).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return self._crashed()
        answer = self._line(time.monotonic() + timeout)
        if answer is None:
            self._end()
            return Loaded(error=f"it was not loaded and called within {timeout:g} seconds")
        return _result(json.loads(answer)) if answer else self._crashed()

    def _line(self, deadline: float) -> bytes | None:
        """Return the child's next line; nothing at its end, None at the deadline."""
        line = b""
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._answers], [], [], left)[0]:
                return None
            block = os.read(self._answers, _BLOCK)
            if not block:
                return b""
            line += block
        return line

    def _crashed(self) -> Loaded:
        self.is_alive = False
        status = self._process.wait()
        return Loaded(error=f"the process that loaded it {_death(status)}{self._last_words()}")

    def _last_words(self) -> str:
        size = self._said.seek(0, os.SEEK_END)
        self._said.seek(max(0, size - _BLOCK))
        said = self._said.read().decode(errors="replace").splitlines()
        lines = [line for line in said if line.strip() and not line.lstrip().startswith(_TRACE)]
        return f": {printable(lines[-1])[-_LAST_WORDS:]}" if lines else ""

    def _end(self) -> None:
        self.is_alive = False
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()


def _result(answer: dict[str, Any]) -> Loaded:
    if "error" in answer:
        return Loaded(error=printable(answer["error"]))
    return Loaded(
        signatures=tuple(answer["signatures"]),
        differences=tuple(map(printable, answer["differences"])),
        records=answer["records"],
        called=tuple(answer["called"]),
    )


def _death(status: int) -> str:
    if status >= 0:
        return f"ended with exit status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    if -status == signal.SIGKILL:
        return f"was killed ({name}), as the system does when memory runs out"
    return f"crashed ({name}), as a server would"
