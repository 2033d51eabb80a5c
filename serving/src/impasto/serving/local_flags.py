"""The flags of `impasto-serving local`; where tensorflow_model_server has the feature, its flag's name is kept."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

IGNORED: Final = {
    "batching_parameters_file": "each request runs alone, with the same answer",
    "enable_batching": "each request runs alone, with the same answer",
    "enable_per_model_batching_parameters": "each request runs alone, with the same answer",
    "flush_filesystem_caches": "there is nothing to flush",
    "monitoring_config_file": "there are no metrics",
    "num_load_threads": "versions load one after the other",
    "num_unload_threads": "each version unloads in a thread of its own",
    "per_process_gpu_memory_fraction": "memory of a GPU is taken as it is needed",
    "rest_api_num_threads": "there is no REST API",
    "rest_api_port": "there is no REST API",
    "tensorflow_session_config_file": "sessions are configured to take a GPU's memory as it is needed",
}
"""Flags of tensorflow_model_server that are taken, so that its command lines work, and have no effect here."""


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


def _seconds(_context: click.Context, _parameter: click.Parameter, value: str) -> float:
    """A number of seconds, 0 or more. TensorFlow Serving's negative ones stand for never, as 0 does here."""
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise click.BadParameter(f"{value!r} is not a number of seconds")
    return max(0.0, seconds)


def _switch(name: str, text: str, *, default: bool) -> Callable[..., Any]:
    """A flag that works with and without a value, as tensorflow_model_server's do."""
    return click.option(
        f"--{name}", type=bool, is_flag=False, flag_value=True, default=default, show_default=True, help=text
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
    click.option(
        "--model_config_file_poll_wait_seconds",
        callback=_seconds,
        metavar="SECONDS",
        default="0",
        show_default=True,
        help="How often to read that file again; 0 for once.",
    ),
    click.option(
        "--model_name", default="default", show_default=True, help="The name of --model_base_path's model."
    ),
    click.option(
        "--model_base_path", metavar="DIR", help="Serve one model: the absolute path of its versions."
    ),
    click.option(
        "--file_system_poll_wait_seconds",
        callback=_seconds,
        metavar="SECONDS",
        default="1",
        show_default=True,
        help="How often to look for new versions; 0 for once.",
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
        type=click.IntRange(min=1),
        help="Calls answered at once; more are refused.  [default: 4 for each CPU]",
    ),
    _switch("enable_model_warmup", "Replay each version's warm-up records before serving it.", default=True),
    _switch(
        "enable_serialization_as_tensor_content",
        "Answer with tensor_content, which is smaller and faster for images, rather than with typed fields.",
        default=False,
    ),
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
