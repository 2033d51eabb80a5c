"""What a command line of `impasto-serving local` means for the server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from impasto.serving.flag_kinds import BOOL
from impasto.serving.ignored_flags import IGNORED
from impasto.serving.local_flags import OPTIONS
from impasto.serving.sources import ConfigFile, ModelSource, Repository, SingleModel
from impasto.serving.transport import GrpcOptions


@dataclass(frozen=True)
class LocalOptions:
    """What the command line asks for, in the server's terms.

    Attributes:
        source: where the models come from.
        what: the same in words.
        server: the further arguments of LocalServer.
        grace: seconds that running calls get at the end.
        verbose: log loading and requests.
        version: say the versions instead of serving.
        ignored: flags given that have no effect, with the reason.
    """

    source: ModelSource
    what: str
    server: dict[str, Any]
    grace: float
    verbose: bool
    version: bool
    ignored: dict[str, str] = field(default_factory=dict)


def local_options(command: Callable[[LocalOptions], None]) -> Callable[..., None]:
    """Gives a command the options; it receives them as one LocalOptions."""

    def wrapped(**values: Any) -> None:
        command(_gather(**values))

    wrapped.__doc__ = command.__doc__
    wrapped.__name__ = command.__name__
    decorated: Callable[..., None] = wrapped
    for option in reversed(OPTIONS):
        decorated = option(decorated)
    for name, flag in IGNORED.items():
        without_value: dict[str, Any] = {"is_flag": False, "flag_value": "true"} if flag.kind is BOOL else {}
        decorated = click.option(f"--{name}", type=flag.kind, hidden=True, **without_value)(decorated)
    return decorated


def _gather(
    *,
    models: Path,
    only: tuple[str, ...],
    model_config_file: Path | None,
    model_config_file_poll_wait_seconds: int,
    model_name: str,
    model_base_path: str | None,
    file_system_poll_wait_seconds: int,
    max_num_load_retries: int,
    load_retry_interval_micros: int,
    allow_version_labels_for_unavailable_models: bool,
    host: str,
    port: int,
    grpc_socket_path: Path | None,
    ssl_config_file: Path | None,
    grpc_channel_arguments: dict[str, int | str],
    enable_grpc_healthcheck_service: bool,
    grpc_max_threads: int | None,
    enable_model_warmup: bool,
    enable_serialization_as_tensor_content: bool,
    grace: float,
    verbose: bool,
    version: bool,
    **ignored: Any,
) -> LocalOptions:
    _check_together(ignored, is_tls=ssl_config_file is not None)
    source: ModelSource
    if model_config_file is not None:
        source, what = (
            ConfigFile(model_config_file, model_config_file_poll_wait_seconds),
            str(model_config_file),
        )
    elif model_base_path is not None:
        source, what = SingleModel(model_name, model_base_path), model_base_path
    else:
        source = Repository(models, only or None, poll_seconds=file_system_poll_wait_seconds)
        what = str(models)
    if only and not isinstance(source, Repository):
        raise click.UsageError(
            "--only chooses from --models; a configuration or a base path says itself what to serve."
        )
    return LocalOptions(
        source=source,
        what=what,
        server={
            "host": host,
            "port": port,
            "grpc_max_threads": grpc_max_threads,
            "warm_up": enable_model_warmup,
            "serialization_as_tensor_content": enable_serialization_as_tensor_content,
            "file_system_poll_wait_seconds": file_system_poll_wait_seconds,
            "max_num_load_retries": max_num_load_retries,
            "load_retry_interval_micros": load_retry_interval_micros,
            "allow_version_labels_for_unavailable_models": allow_version_labels_for_unavailable_models,
            "grpc_options": GrpcOptions(
                socket_path=grpc_socket_path,
                ssl_config_file=ssl_config_file,
                channel_arguments=grpc_channel_arguments,
                health_service=enable_grpc_healthcheck_service,
            ),
        },
        grace=grace,
        verbose=verbose,
        version=version,
        ignored={name: IGNORED[name].reason for name, value in ignored.items() if value is not None},
    )


def _check_together(flags: dict[str, Any], *, is_tls: bool) -> None:
    """Refuses flags that are ignored here and that tensorflow_model_server refuses together."""
    if flags["batching_parameters_file"] and not flags["enable_batching"]:
        raise click.UsageError("--batching_parameters_file needs --enable_batching.")
    if flags["use_alts_credentials"] and is_tls:
        raise click.UsageError("--use_alts_credentials and --ssl_config_file exclude each other.")
    threads = [f"tensorflow_{kind}_parallelism" for kind in ("session", "intra_op", "inter_op")]
    if all((flags[name] or 0) > 0 for name in threads):
        raise click.UsageError(f"--{' and --'.join(threads)} exclude each other.")
