"""`impasto-serving local`: serve a model repository from this machine until told to stop."""

from __future__ import annotations

import logging
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Final

import click

from impasto.serving.errors import LocalServerError, ModelLoadError
from impasto.serving.quiet import quiet_tensorflow
from impasto.serving.server import LocalServer
from impasto.serving.versions import scan_repository

USAGE_EXIT: Final = 2
"""The command line or the machine must be changed: no such folder, port in use."""

LOAD_EXIT: Final = 255
"""A model is corrupt: tensorflow_model_server's exit code for it."""

_STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

_FINISHED: Final = b"\0"
"""What is sent when the server has finished; a signal sends its number."""


@click.command()
@click.option(
    "--models",
    type=click.Path(path_type=Path),
    default=Path("models"),
    show_default=True,
    help="The repository: <models>/<name>/<version>/saved_model.pb.",
)
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="The address to listen on; 0.0.0.0 for all."
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8500,
    show_default=True,
    help="The gRPC port; 0 takes a free one.",
)
@click.option("--only", multiple=True, metavar="MODEL", help="Serve this model only; may be repeated.")
@click.option(
    "--grpc_max_threads",
    "max_workers",
    type=click.IntRange(min=1),
    help="Calls answered at once; more are refused.  [default: 4 for each CPU]",
)
@click.option(
    "--enable_model_warmup",
    "warm_up",
    type=bool,
    is_flag=False,
    flag_value=True,
    default=True,
    show_default=True,
    help="Replay each version's warm-up records before serving it.",
)
@click.option(
    "--enable_serialization_as_tensor_content",
    "as_content",
    type=bool,
    is_flag=False,
    flag_value=True,
    default=False,
    show_default=True,
    help="Answer with tensor_content, which is smaller and faster for images, rather than with typed fields.",
)
@click.option(
    "--grace",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="How long running calls may go on after SIGTERM or SIGINT; a second signal aborts them.",
)
@click.option(
    "--verbose", "-v", is_flag=True, help="Log each model loaded, each request, and TensorFlow's notes."
)
def local(
    *,
    models: Path,
    host: str,
    port: int,
    only: tuple[str, ...],
    max_workers: int | None,
    warm_up: bool,
    as_content: bool,
    grace: float,
    verbose: bool,
) -> None:
    """Serve the newest version of each model until SIGINT or SIGTERM.

    Exit code 0 after a stop, 2 if the models folder is not there or the port is taken, 255 if a model is
    corrupt.
    """
    _set_up_logging(verbose=verbose)
    server = LocalServer(
        models,
        host=host,
        port=port,
        only=only or None,
        max_workers=max_workers,
        warm_up=warm_up,
        serialization_as_tensor_content=as_content,
    )
    try:
        scan_repository(models, only=only or None)  # before TensorFlow, whose import takes seconds
        click.echo(f"Loading the models of {models}")
        if not verbose:
            quiet_tensorflow()
        server.start()
    except LocalServerError as error:
        click.echo(str(error), err=True)
        sys.exit(LOAD_EXIT if isinstance(error, ModelLoadError) else USAGE_EXIT)
    wakeups = _Wakeups()
    _announce(server, models)
    _serve_until_signalled(server, wakeups, grace)


def _set_up_logging(*, verbose: bool) -> None:
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.WARNING, stream=sys.stderr)
    logging.getLogger("impasto.serving").setLevel(logging.INFO if verbose else logging.WARNING)


def _announce(server: LocalServer, models: Path) -> None:
    for name, version in server.loaded:
        click.echo(f"{name}  version {version}")
    if not server.loaded:
        click.echo(
            f"No model in {models} yet: every call will be answered NOT_FOUND. Export one and start again."
        )
    click.echo(f"Listening on {server.address} (Ctrl-C to stop)")


class _Wakeups:
    """Wakes the main thread at a stop signal, and when the server has finished.

    A signal may be delivered to any of TensorFlow's or gRPC's threads. The main thread would then sleep on in a
    lock, a queue or an event, for Python runs handlers there only once it wakes. So it waits for a byte on a
    socket, which Python writes in whichever thread the signal arrives.
    """

    def __init__(self) -> None:
        self._receiver, self._sender = socket.socketpair()
        self._sender.setblocking(False)
        signal.set_wakeup_fd(self._sender.fileno())
        for number in _STOP_SIGNALS:
            signal.signal(number, lambda *_: None)

    def wait(self) -> bool:
        """Blocks until there is something to do: True for a signal, False for a finished server."""
        return self._receiver.recv(1) != _FINISHED

    def finished(self) -> None:
        """Says that the server has finished."""
        self._sender.send(_FINISHED)

    def close(self) -> None:
        """Ignores every further signal: Python's own shutdown would give a late one back its deadly meaning."""
        for number in _STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        signal.set_wakeup_fd(-1)
        self._receiver.close()
        self._sender.close()


def _serve_until_signalled(server: LocalServer, wakeups: _Wakeups, grace: float) -> None:
    wakeups.wait()
    click.echo(f"Stopping; running calls have {grace:g} s to finish.")

    def finish() -> None:
        server.stop(grace)
        wakeups.finished()

    finishing = threading.Thread(target=finish)
    finishing.start()
    if wakeups.wait():
        server.stop()
    finishing.join()
    wakeups.close()
    click.echo("Stopped.")
