"""Servers and clients of long jobs as processes of their own, which a test can kill."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from impasto.client import Client


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class ServerProcess:
    """`impasto-serving local` on a fixed port, to be stopped, killed and started again.

    Args:
        models: the repository.
        flags: further flags of the command.
        log: a file that gets what it says on standard error; nowhere if None.
    """

    def __init__(self, models: Path, *flags: str, log: Path | None = None) -> None:
        self._models = models
        self._flags = flags
        self._log = log
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Starts the process; it listens some seconds later."""
        command = [sys.executable, "-m", "impasto.serving", "local", "--models", str(self._models)]
        with Path(self._log or os.devnull).open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--port", str(self._port), *self._flags],
                stdout=subprocess.DEVNULL,
                stderr=log,
                env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
            )

    def ensure_running(self) -> None:
        """Starts it if it was killed, and waits until it answers."""
        if self._process is None:
            self.start()
        self.wait_ready()

    def wait_ready(self) -> None:
        """Until it answers for every model of its repository."""
        with Client(self.address) as client:
            client.wait_ready(models=[path.name for path in self._models.iterdir()], timeout=120)

    def freeze(self) -> None:
        """SIGSTOP: the process keeps its connections and does nothing, until `thaw`."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextlib.contextmanager
def server_process(models: Path, *flags: str, log: Path | None = None) -> Iterator[ServerProcess]:
    """A running server that answers; killed on leaving."""
    server = ServerProcess(models, *flags, log=log)
    try:
        server.ensure_running()
        yield server
    finally:
        server.kill()


def impasto(*arguments: str | Path, server: str) -> subprocess.Popen[str]:
    """Starts the command line as a process of its own."""
    command = [sys.executable, "-m", "impasto.client", *map(str, arguments), "--server", server]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_until(condition: Callable[[], bool], *, seconds: float = 60) -> None:
    """Waits for `condition`; AssertionError if it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "this did not happen in time"
        time.sleep(0.02)
