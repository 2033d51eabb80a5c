"""The command line of `impasto-serving local`: tensorflow_model_server's flags, and a few of its own."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import click

from impasto.serving.local.flags import BOOL, IGNORED, INT32, INT64, check_ignored
from impasto.serving.local.options import GrpcOptions, ServerOptions
from impasto.serving.local.sources import ConfigFile, ModelSource, Repository, SingleModel


def _path(_context: click.Context, _parameter: click.Parameter, value: str | None) -> Path | None:
    """Return the path; an empty value stands for no path."""
    return Path(value) if value else None


def _arguments(_context: click.Context, _parameter: click.Parameter, value: str) -> dict[str, int | str]:
    """Parse `name=value` pairs with commas between; a whole number becomes an int."""
    arguments: dict[str, int | str] = {}
    for pair in filter(None, value.split(",")):
        name, equals, text = pair.partition("=")
        if not name or not equals:
            raise click.BadParameter(f"{pair!r} is not name=value, such as grpc.max_connection_age_ms=30000")
        try:
            arguments[name] = int(text)
        except ValueError:
            arguments[name] = text
    return arguments


def _switch(name: str, text: str, *, default: bool) -> Callable[..., Any]:
    """Return a switch that works with and without a value, as tensorflow_model_server's do."""
    return click.option(
        f"--{name}",
        type=BOOL,
        is_flag=False,
        flag_value="true",
        default=default,
        show_default=True,
        help=text,
    )


def _poll(name: str, text: str, *, default: int) -> Callable[..., Any]:
    """Return an interval in seconds. A negative one stands for never, as in TensorFlow Serving, and becomes 0."""
    return click.option(
        f"--{name}",
        type=INT32,
        callback=lambda _context, _parameter, value: max(0, value),
        metavar="SECONDS",
        default=default,
        show_default=True,
        help=text,
    )


OPTIONS: Final = (
    click.option(
        "--models",
        type=click.Path(path_type=Path),
        default=Path("models"),
        show_default=True,
        help="The repository: <models>/<name>/<version>/saved_model.pb.",
    ),
    click.option("--only", multiple=True, metavar="MODEL", help="Serve this model only; may be repeated."),
    click.option(
        "--model_config_file",
        callback=_path,
        metavar="FILE",
        help="Serve what this text ModelServerConfig lists, with its version policies and labels.",
    ),
    _poll("model_config_file_poll_wait_seconds", "How often to read that file again; 0 for once.", default=0),
    click.option(
        "--model_name", default="default", show_default=True, help="The name of --model_base_path's model."
    ),
    click.option(
        "--model_base_path", metavar="DIR", help="Serve one model: the absolute path of its versions."
    ),
    _poll("file_system_poll_wait_seconds", "How often to look for new versions; 0 for once.", default=1),
    click.option(
        "--max_num_load_retries",
        type=INT32,
        default=5,
        show_default=True,
        metavar="TIMES",
        help="How often to retry a version that fails to load, at the start too; 0 for never.",
    ),
    click.option(
        "--load_retry_interval_micros",
        type=INT64,
        default=60_000_000,
        show_default=True,
        metavar="MICROSECONDS",
        help="The time between two tries.",
    ),
    _switch(
        "allow_version_labels_for_unavailable_models",
        "Let a new label name a version that is not loaded; a --model_config_file with labels needs it.",
        default=False,
    ),
    click.option(
        "--host", default="127.0.0.1", show_default=True, help="The address to listen on; 0.0.0.0 for all."
    ),
    click.option(
        "--port",
        type=click.IntRange(0, 65535),
        default=8500,
        show_default=True,
        help="The gRPC port; 0 takes a free one.",
    ),
    click.option(
        "--grpc_socket_path", callback=_path, metavar="FILE", help="A Unix socket to listen on as well."
    ),
    click.option(
        "--ssl_config_file",
        callback=_path,
        metavar="FILE",
        help="TLS with the keys in this text SSLConfig; with client_verify, clients need certificates too.",
    ),
    click.option(
        "--grpc_channel_arguments",
        callback=_arguments,
        default="",
        metavar="NAME=VALUE,...",
        help="Settings of gRPC, such as grpc.max_connection_age_ms=30000.",
    ),
    _switch("enable_grpc_healthcheck_service", "Offer the health service.", default=True),
    click.option(
        "--grpc_max_threads",
        type=click.IntRange(1, 2**31 - 1),
        help="One more than the calls that are answered at once; further ones are refused.  [default: 4 for each CPU]",
    ),
    _switch("enable_model_warmup", "Replay each version's warm-up records before serving it.", default=True),
    _switch(
        "enable_serialization_as_tensor_content",
        "Answer with tensor_content, smaller and faster for images, rather than with typed fields.",
        default=True,
    ),
    _switch(
        "enable_reload",
        "Answer HandleReloadConfigRequest, by which clients change the served models; this flag is Impasto's own.",
        default=True,
    ),
    _switch("version", "Print the versions and exit.", default=False),
    click.option(
        "--grace",
        type=click.FloatRange(min=0),
        default=30.0,
        show_default=True,
        metavar="SECONDS",
        help="How long running calls may go on after SIGTERM or SIGINT; a second signal aborts them.",
    ),
    click.option(
        "--verbose", "-v", is_flag=True, help="Log each model loaded, each request, and TensorFlow's notes."
    ),
)
"""The flags that have an effect, in the order of the help."""


@dataclass(frozen=True)
class LocalOptions:
    """The values of a command line.

    Attributes:
        source: the source of the models.
        what: the source in words.
        host: the name or address to listen on.
        port: the port; 0 takes a free one.
        options: how models are loaded and called.
        grpc_options: the transport.
        grace: the seconds that running calls get at the end.
        verbose: log loading and requests.
        version: print the versions instead of serving.
        ignored: the given flags that have no effect, with the reason.
    """

    source: ModelSource
    what: str
    host: str
    port: int
    options: ServerOptions
    grpc_options: GrpcOptions
    grace: float
    verbose: bool
    version: bool
    ignored: dict[str, str]


def local_options(command: Callable[[LocalOptions], None]) -> Callable[..., None]:
    """Give a command the flags; it receives them as one LocalOptions."""

    @functools.wraps(command)
    def wrapped(**values: Any) -> None:
        command(_gather(values))

    decorated: Callable[..., None] = wrapped
    for option in reversed(OPTIONS):
        decorated = option(decorated)
    for name, flag in IGNORED.items():
        without_value: dict[str, Any] = {"is_flag": False, "flag_value": "true"} if flag.kind is BOOL else {}
        decorated = click.option(f"--{name}", type=flag.kind, hidden=True, **without_value)(decorated)
    return decorated


def _gather(values: dict[str, Any]) -> LocalOptions:
    check_ignored(values)
    source, what = _source(values)
    return LocalOptions(
        source=source,
        what=what,
        options=ServerOptions(**{each.name: values[each.name] for each in fields(ServerOptions)}),
        grpc_options=GrpcOptions(
            socket_path=values["grpc_socket_path"],
            ssl_config_file=values["ssl_config_file"],
            channel_arguments=values["grpc_channel_arguments"],
            health_service=values["enable_grpc_healthcheck_service"],
        ),
        ignored={
            name: IGNORED[name].reason
            for name, value in values.items()
            if name in IGNORED and value is not None
        },
        **{name: values[name] for name in ("host", "port", "grace", "verbose", "version")},
    )


def _source(values: dict[str, Any]) -> tuple[ModelSource, str]:
    """Return the source of the models, and the same in words."""
    file, base_path, only = values["model_config_file"], values["model_base_path"], values["only"]
    if file is None and base_path is None:
        poll_seconds = values["file_system_poll_wait_seconds"]
        return Repository(values["models"], only or None, poll_seconds=poll_seconds), str(values["models"])
    if only:
        raise click.UsageError(
            "--only chooses from --models; a configuration or a base path itself says which models to serve."
        )
    if file is not None:
        return ConfigFile(file, values["model_config_file_poll_wait_seconds"]), str(file)
    return SingleModel(values["model_name"], base_path), base_path
