"""The process in which a rollout loads versions, forked from one that has imported TensorFlow."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import reduction
from types import SimpleNamespace
from typing import IO, Any

import pytest

from impasto.serving.rollout import load_check
from processes.forked_scripts import forking, take_environment


def fork_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets `load_check` fork its processes, each of which it otherwise lets import TensorFlow.

    They do all else as ever: load versions, answer on their descriptor, and crash. That they start at all is claimed
    by tests of test_load_check.py that do not call this.
    """
    monkeypatch.setattr(load_check, "subprocess", SimpleNamespace(Popen=_ForkedProbe, PIPE=subprocess.PIPE))


class _ForkedProbe:
    """Stands for the subprocess.Popen of `load_check`, with its arguments."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        stdin: int,
        stdout: IO[bytes],
        stderr: IO[bytes],
        pass_fds: Sequence[int],
        env: Mapping[str, str],
    ) -> None:
        (answers,) = pass_fds
        assert command == [sys.executable, "-m", "impasto.serving.rollout.load_probe", str(answers)]
        assert stdin == subprocess.PIPE
        assert stdout is stderr
        reading, writing = os.pipe()
        self.stdin = os.fdopen(writing, "wb")
        try:
            self._process = forking().Process(
                target=_run,
                args=(*map(_Descriptor, (reading, stdout.fileno(), answers)), dict(env)),
                daemon=True,
            )
            self._process.start()
        finally:
            os.close(reading)

    def wait(self) -> int:
        """Waits for its end; the exit code, negative for a signal."""
        self._process.join()
        assert self._process.exitcode is not None
        return self._process.exitcode

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()


class _Descriptor:
    """A file descriptor that arrives in the forked process as one of its own."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __reduce__(self) -> tuple[Callable[[Any], int], tuple[Any]]:
        return _detached, (reduction.DupFd(self._number),)


def _detached(duplicate: Any) -> int:
    number: int = duplicate.detach()
    return number


def _run(reading: int, said: int, answers: int, environment: dict[str, str]) -> None:
    """Runs in the forked process."""
    from impasto.serving.rollout import load_probe

    take_environment(environment)
    os.dup2(said, sys.stdout.fileno())
    os.dup2(said, sys.stderr.fileno())
    sys.stdin = os.fdopen(reading)
    load_probe.main(answers)
