"""`impasto-serving local`: serve a model repository from this machine until told to stop."""

from __future__ import annotations

import logging
import signal
import socket
import sys
import threading
from importlib import metadata
from typing import Final

import click

from impasto.serving.errors import ConfigError, LocalServerError, ModelLoadError
from impasto.serving.local_options import LocalOptions, local_options
from impasto.serving.quiet import quiet_tensorflow
from impasto.serving.server import LocalServer
from impasto.serving.sources import check

USAGE_EXIT: Final = 2
"""The command line or the machine must be changed: no such folder, port in use."""

LOAD_EXIT: Final = 255
"""A model is corrupt, a configuration is wrong: tensorflow_model_server's exit code for it."""

_STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

_FINISHED: Final = b"\0"
"""What is sent when the server has finished; a signal sends its number."""


@click.command(context_settings={"max_content_width": 110})
@local_options
def local(options: LocalOptions) -> None:
    """Serve models until SIGINT or SIGTERM: a repository, a configuration, or one model.

    New versions are loaded as they appear on disk. Flags of tensorflow_model_server that have no meaning here,
    such as those for batching, REST and metrics, are accepted and named as ignored. The port opens once every
    model is loaded.

    Exit code 0 after a stop, 2 if the models folder is not there or the port is taken, 255 if a model is
    corrupt or a configuration file cannot be used.
    """
    if options.version:
        click.echo(_versions())
        return
    _set_up_logging(verbose=options.verbose)
    for name, reason in options.ignored.items():
        click.echo(f"--{name} is ignored: {reason}.", err=True)
    server = LocalServer(options.source, **options.server)
    try:
        check(options.source)  # before TensorFlow, whose import takes seconds
        click.echo(f"Loading the models of {options.what}")
        if not options.verbose:
            quiet_tensorflow()
        server.start()
    except LocalServerError as error:
        click.echo(str(error), err=True)
        sys.exit(LOAD_EXIT if isinstance(error, ModelLoadError | ConfigError) else USAGE_EXIT)
    wakeups = _Wakeups()
    _announce(server, options)
    _serve_until_signalled(server, wakeups, options.grace)


def _versions() -> str:
    """The two lines of tensorflow_model_server: the API's version with this package's, and TensorFlow's."""
    api, own = (metadata.version(name) for name in ("tensorflow-serving-api", "impasto-serving"))
    return (
        f"TensorFlow ModelServer: {api}+impasto.{own}\nTensorFlow Library: {metadata.version('tensorflow')}"
    )


def _set_up_logging(*, verbose: bool) -> None:
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.WARNING, stream=sys.stderr)
    logging.getLogger("impasto.serving").setLevel(logging.INFO if verbose else logging.WARNING)


def _announce(server: LocalServer, options: LocalOptions) -> None:
    for name, version in server.loaded:
        click.echo(f"{name}  version {version}")
    if not server.loaded:
        click.echo(
            f"No model in {options.what} yet: calls are answered NOT_FOUND until a version is exported there."
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
