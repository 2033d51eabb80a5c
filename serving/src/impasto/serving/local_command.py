"""`impasto-serving local`: serve a model repository from this machine until told to stop."""

from __future__ import annotations

import logging
import queue
import signal
import sys
import threading
from pathlib import Path
from typing import Final, Literal, TypeAlias

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

_Events: TypeAlias = "queue.SimpleQueue[Literal['signal', 'finished']]"


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
    events = _catch_signals()
    _announce(server, models)
    _serve_until_signalled(server, events, grace)


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


def _catch_signals() -> _Events:
    # A SimpleQueue, for it alone may be filled by a handler that interrupts the thread that waits on it:
    # an Event deadlocks now and then.
    events: _Events = queue.SimpleQueue()
    for number in _STOP_SIGNALS:
        signal.signal(number, lambda *_: events.put("signal"))
    return events


def _serve_until_signalled(server: LocalServer, events: _Events, grace: float) -> None:
    events.get()
    click.echo(f"Stopping; running calls have {grace:g} s to finish.")

    def finish() -> None:
        server.stop(grace)
        events.put("finished")

    finishing = threading.Thread(target=finish)
    finishing.start()
    if events.get() == "signal":
        server.stop()
    finishing.join()
    for number in _STOP_SIGNALS:
        # Python's own shutdown would give a late signal back its deadly meaning.
        signal.signal(number, signal.SIG_IGN)
    click.echo("Stopped.")
