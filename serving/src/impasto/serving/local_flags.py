"""The flags of `impasto-serving local`; where tensorflow_model_server has the feature, its flag's name is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from impasto.serving.flag_kinds import BOOL, INT32, INT64


def _path(_context: click.Context, _parameter: click.Parameter, value: str | None) -> Path | None:
    """A path; an empty one is none, as for tensorflow_model_server."""
    return Path(value) if value else None


def _arguments(_context: click.Context, _parameter: click.Parameter, value: str) -> dict[str, int | str]:
    """`name=value` with commas between; a whole number is passed on as one."""
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
    """A flag that works with and without a value, as tensorflow_model_server's do."""
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
    """A time between two looks. TensorFlow Serving's negative ones stand for never, as 0 does here."""
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
        help="How often to try again to load a version that fails to, at the start too; 0 for never.",
    ),
    click.option(
        "--load_retry_interval_micros",
        type=INT64,
        default=60_000_000,
        show_default=True,
        metavar="MICROSECONDS",
        help="The time between two such tries.",
    ),
    _switch(
        "allow_version_labels_for_unavailable_models",
        "Let a label that points nowhere yet name a version that is not loaded; a --model_config_file with labels "
        "needs it.",
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
        help="One more than the calls that are answered at once; others are refused.  [default: 4 for each CPU]",
    ),
    _switch("enable_model_warmup", "Replay each version's warm-up records before serving it.", default=True),
    _switch(
        "enable_serialization_as_tensor_content",
        "Answer with tensor_content, which is smaller and faster for images, rather than with typed fields.",
        default=False,
    ),
    _switch("version", "Say which version this is of what, and stop.", default=False),
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
"""Every flag that has an effect, in the order of the help."""
