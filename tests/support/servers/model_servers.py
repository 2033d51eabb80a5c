"""The servers that tests talk to, by kind: `local` is ours, `real` is a TensorFlow Serving.

The environment variable IMPASTO_TFS is the command that starts the real one: a program that takes the flags of
tensorflow_model_server, split into words as a shell does. Both kinds start with the flags that docker/compose.yaml
ships, so a flag that a server refuses fails every test that asks for a server.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Protocol

import click
import pytest

from containers import compose_files
from impasto.serving import ConfigFile, LocalServer, LocalServerError
from impasto.serving.local.command_line import LocalOptions, local_options
from servers.configurations import QUICK
from servers.forked_commands import ForkedCommand
from servers.model_server_facts import flags_of

VARIABLE: Final = "IMPASTO_TFS"

needs_real: Final = pytest.mark.skipif(
    not os.environ.get(VARIABLE),
    reason=f"{VARIABLE} is not set: it names the TensorFlow Serving to test (see CONTRIBUTING.md)",
)

KINDS: Final = ("local", pytest.param("real", marks=needs_real))
"""For parametrising a test, or a fixture, over both."""

POLL: Final = "1"
"""Seconds between a server's looks at its files: the fewest that the flags can say."""

SHIPPED_FILES: Final = compose_files.DOCKER / "kubernetes" / "base" / "config"
"""The configuration files that the flags name as /config/..., except models.config."""

TYPED: Final[dict[str, Any]] = {"enable_serialization_as_tensor_content": "false"}
"""Answers in typed fields, as tensorflow_model_server gives them by default."""

_START_SECONDS: Final = 180.0
_LOG_TAIL: Final = 8000


class ModelServer(Protocol):
    """A server that answers."""

    @property
    def kind(self) -> str:
        """`local` or `real`."""

    @property
    def address(self) -> str:
        """What to give to a client: `host:port`."""

    @property
    def port(self) -> int:
        """The port of that address."""

    def stop(self) -> None:
        """Ends it at once; may be called twice."""


def shipped_flags(config: Path, folder: Path, **changes: Any) -> list[str]:
    """The command line of compose.yaml for models of this machine.

    Args:
        config: the models.config.
        folder: where the server's socket is made.
        changes: other values by the name of the flag; None drops the flag.
    """
    shipped = flags_of(compose_files.load("compose.yaml")["services"]["serving"]["command"])
    flags: dict[str, object] = {
        name: SHIPPED_FILES / Path(value).name if value.startswith("/config/") else value
        for name, value in shipped.items()
    }
    flags |= {
        "model_config_file": config,
        "model_config_file_poll_wait_seconds": "0",
        "file_system_poll_wait_seconds": POLL,
        "port": 0,
        "rest_api_port": 0,
        "grpc_socket_path": folder / Path(shipped["grpc_socket_path"]).name,
    }
    flags |= changes
    return [f"--{name}={value}" for name, value in flags.items() if value is not None]


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class ServerProcess:
    """A server as a process on a fixed port, to be stopped, killed and started again.

    Args:
        models: a repository, whose models are all served, or a models.config.
        flags: further words of the local server's command line.
        kind: `local` or `real`.
        log: a file that gets what it says; a temporary one if None.
        forked: fork the local server from a process that has imported TensorFlow, which reads some variables of the
            environment only then. It starts sooner.
        changes: flags by name, other than the shipped ones; None drops a flag.
    """

    def __init__(
        self,
        models: Path,
        *flags: str,
        kind: str = "local",
        log: Path | None = None,
        forked: bool = True,
        **changes: Any,
    ) -> None:
        self.kind = kind
        self._forked = forked and kind == "local"
        folder = Path(tempfile.mkdtemp(prefix="server-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.log = log or folder / "server.log"
        self._process: subprocess.Popen[bytes] | ForkedCommand | None = None
        self.port = int(str(changes.pop("port", None) or free_port()))
        config = models if models.is_file() else list_models(models, folder / "models.config")
        self._flags = [*shipped_flags(config, folder, **changes, port=self.port), *flags]
        _PROCESSES.add(self)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Starts the process; it listens some seconds later."""
        if self._forked:
            self._process = ForkedCommand(["local", *self._flags], log=self.log)
            return
        local = [sys.executable, "-m", "impasto.serving", "local"]
        command = local if self.kind == "local" else shlex.split(os.environ[VARIABLE])
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *self._flags],
                stdout=log,
                stderr=log,
                env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "0"},
            )

    def ensure_running(self) -> None:
        """Starts it if it was killed or has ended, and waits until it answers."""
        if not self.is_running:
            self.start()
        self.wait_ready()

    def wait_ready(self) -> None:
        """Until it listens, which it does once every model is loaded."""
        end = time.monotonic() + _START_SECONDS
        while True:
            assert self.is_running, f"the {self.kind} server ended: {self.tail()}"
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                break
            assert time.monotonic() < end, f"the {self.kind} server does not listen: {self.tail()}"
            time.sleep(0.02)

    def wait(self) -> int:
        """Waits for the process to end by itself; its exit code."""
        assert self._process is not None
        return self._process.wait(timeout=_START_SECONDS)

    def tail(self) -> str:
        """The end of what it said."""
        return self.log.read_text(errors="replace")[-_LOG_TAIL:] if self.log.exists() else ""

    def send(self, number: signal.Signals) -> None:
        """Sends the process a signal."""
        os.kill(self.pid, number)

    def freeze(self) -> None:
        """SIGSTOP: the process keeps its connections and does nothing, until `thaw`. Returns once it is so."""
        os.kill(self.pid, signal.SIGSTOP)
        while any(_state(task) not in "Tt" for task in Path(f"/proc/{self.pid}/task").glob("*/stat")):
            time.sleep(0.01)

    def thaw(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """Ends it at once."""
        self.kill()


_PROCESSES: Final[weakref.WeakSet[ServerProcess]] = weakref.WeakSet()


def logs() -> Iterator[tuple[str, str]]:
    """A title and the end of the log of each real server that runs, for the report of a test that failed."""
    for process in _PROCESSES:
        if process.kind == "real" and process.is_running:
            yield f"log of the TensorFlow Serving at {process.address}", process.tail()


class InProcess:
    """A local server in this process, started by flags; a poll of a second is a quick one, to save a test's time."""

    kind = "local"

    def __init__(self, arguments: Sequence[str]) -> None:
        options = _options(arguments)
        source, server = options.source, options.options
        if isinstance(source, ConfigFile) and source.poll_seconds == float(POLL):
            source = replace(source, poll_seconds=QUICK)
        if server.file_system_poll_wait_seconds == float(POLL):
            server = replace(server, file_system_poll_wait_seconds=QUICK)
        self.server = LocalServer(
            source, host=options.host, port=options.port, options=server, grpc_options=options.grpc_options
        )
        self.server.start()

    @property
    def address(self) -> str:
        return self.server.address

    @property
    def port(self) -> int:
        return self.server.port

    def stop(self) -> None:
        """Ends it at once."""
        self.server.stop()


@contextlib.contextmanager
def serving(
    kind: str, models: Path, *, only: Sequence[str] = (), log: Path | None = None, **changes: Any
) -> Iterator[ModelServer]:
    """A server that answers: the local one in this process, the real one as a process.

    Args:
        kind: `local` or `real`.
        models: a repository, or a models.config.
        only: the repository's models to serve; all if none is named.
        log: a file for what the real server says; a temporary one if None.
        changes: flags by name, other than those that compose.yaml ships; None drops a flag.
    """
    with tempfile.TemporaryDirectory() as folder:
        config = models if models.is_file() else list_models(models, Path(folder) / "models.config", only)
        server: Any
        if kind == "local":
            server = InProcess(shipped_flags(config, Path(folder), **changes))
        else:
            server = ServerProcess(config, kind=kind, log=log, **changes)
        try:
            if kind == "real":
                server.ensure_running()
            yield server
        finally:
            server.stop()


@contextlib.contextmanager
def server_process(
    models: Path, *flags: str, kind: str = "local", log: Path | None = None, **changes: Any
) -> Iterator[ServerProcess]:
    """A running server process that answers; killed on leaving. The arguments are those of ServerProcess."""
    server = ServerProcess(models, *flags, kind=kind, log=log, **changes)
    try:
        server.ensure_running()
        yield server
    finally:
        server.kill()


def start_failure(kind: str, models: Path, **changes: Any) -> str:
    """What a server says that does not start: the local one's exception, the end of the real one's log.

    The arguments are those of `serving`.
    """
    changes = {"max_num_load_retries": 0, **changes}
    if kind == "local":
        with pytest.raises(LocalServerError) as caught, serving(kind, models, **changes):
            pass
        return str(caught.value)
    server = ServerProcess(models, kind=kind, **changes)
    server.start()
    try:
        assert server.wait() == 255
        return server.tail()
    finally:
        server.stop()


def _state(stat: Path) -> str:
    """The letter for what a thread does; T, stopped, for one that is gone."""
    try:
        return stat.read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "T"


def served_names(repository: Path) -> list[str]:
    """The models of a repository."""
    return sorted(
        entry.name for entry in repository.iterdir() if entry.is_dir() and not entry.name.startswith(".")
    )


def list_models(repository: Path, config: Path, only: Sequence[str] = ()) -> Path:
    """Writes a models.config that lists a repository's models, each in its newest version."""
    entries = (
        f"  config {{ name: '{name}' base_path: '{repository / name}' model_platform: 'tensorflow' }}\n"
        for name in only or served_names(repository)
    )
    config.write_text(f"model_config_list {{\n{''.join(entries)}}}\n")
    return config


def _options(arguments: Sequence[str]) -> LocalOptions:
    """A command line of `impasto-serving local` as the command itself reads it."""
    read: list[LocalOptions] = []

    def command(options: LocalOptions) -> None:
        read.append(options)

    click.command()(local_options(command)).main(list(arguments), standalone_mode=False)
    return read[0]
