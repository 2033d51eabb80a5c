"""The options of the local server: how it serves its models, and its gRPC transport."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import grpc

from impasto.serving.errors import ConfigError
from impasto.serving.schema.server_files_pb2 import SSLConfig
from impasto.serving.text_files import read_secret_file

_LARGEST_MESSAGE: Final = 2**31 - 1
_LARGEST_HEADERS: Final = 8192


@dataclass(frozen=True, kw_only=True)
class ServerOptions:
    """The flags of tensorflow_model_server that say how models are loaded and called, under their own names, and one of
    Impasto's own, `enable_reload`.

    Attributes:
        file_system_poll_wait_seconds: the seconds between two looks for new versions (and, in a repository, new
            models); 0 looks only at the start.
        max_num_load_retries: how often to retry a version that fails to load, while its state is LOADING; `start`
            waits for it. TensorFlow Serving's default is 5.
        load_retry_interval_micros: the microseconds between two tries.
        allow_version_labels_for_unavailable_models: a new label may name a version that is not loaded; a
            configuration that has labels at the start needs it.
        enable_model_warmup: replay the warm-up records of each version before it becomes available.
        enable_serialization_as_tensor_content: answer with `tensor_content` rather than with typed fields, which are
            TensorFlow Serving's default and take a server and its client some 25 ms a megapixel.
        grpc_max_threads: one more than the calls that are answered at once; further calls are refused with
            RESOURCE_EXHAUSTED, and 1 refuses every call. None stands for 4 for each CPU.
        enable_reload: answer HandleReloadConfigRequest. TensorFlow Serving has no such flag: whoever reaches its port
            can change the served models.

    Raises:
        ValueError: a number is out of its range.
    """

    file_system_poll_wait_seconds: float = 1.0
    max_num_load_retries: int = 0
    load_retry_interval_micros: int = 60_000_000
    allow_version_labels_for_unavailable_models: bool = False
    enable_model_warmup: bool = True
    enable_serialization_as_tensor_content: bool = True
    grpc_max_threads: int | None = None
    enable_reload: bool = True

    def __post_init__(self) -> None:
        if self.grpc_max_threads is not None and self.grpc_max_threads < 1:
            raise ValueError(
                f"grpc_max_threads: {self.grpc_max_threads} is less than 1; give at least 2, or None for the default"
            )
        if not self.file_system_poll_wait_seconds >= 0:
            raise ValueError(
                f"file_system_poll_wait_seconds: {self.file_system_poll_wait_seconds} is not a number of seconds; "
                "give 0 to look only at the start"
            )

    @property
    def threads(self) -> int:
        """The number of threads in force."""
        return self.grpc_max_threads or 4 * (os.cpu_count() or 1)


@dataclass(frozen=True)
class GrpcOptions:
    """The transport that clients find at the address.

    Attributes:
        socket_path: a Unix socket to listen on as well.
        ssl_config_file: a text SSLConfig with key and certificates as PEM text, for TLS on the port and the
            socket; None for plain text.
        channel_arguments: gRPC's own settings, such as `grpc.max_connection_age_ms`.
        health_service: offer the health service.
    """

    socket_path: Path | None = None
    ssl_config_file: Path | None = None
    channel_arguments: Mapping[str, int | str] = field(default_factory=dict)
    health_service: bool = True

    def server_options(self) -> list[tuple[str, int | str]]:
        """Return the settings of the gRPC server; `channel_arguments` come last and win."""
        return [
            ("grpc.max_receive_message_length", _LARGEST_MESSAGE),
            ("grpc.max_send_message_length", _LARGEST_MESSAGE),
            # TensorFlow Serving's limit on a request's headers; gRPC lets some of up to twice the size pass by chance.
            ("grpc.max_metadata_size", _LARGEST_HEADERS),
            ("grpc.absolute_max_metadata_size", _LARGEST_HEADERS),
            ("grpc.so_reuseport", 0),  # two servers must not share a port unnoticed
            *self.channel_arguments.items(),
        ]

    def credentials(self) -> grpc.ServerCredentials | None:
        """Return the server's key and certificates; None without TLS.

        Raises:
            ConfigError: the file cannot be read or lacks a part, or gRPC refuses its content.
        """
        if self.ssl_config_file is None:
            return None
        config = read_secret_file(self.ssl_config_file, SSLConfig())
        if not config.server_key or not config.server_cert:
            raise ConfigError(
                f"{self.ssl_config_file}: server_key and server_cert are needed, both as PEM text; "
                "`impasto-serving config` writes the file from PEM files."
            )
        if config.client_verify and not config.custom_ca:
            raise ConfigError(
                f"{self.ssl_config_file}: client_verify needs custom_ca, the certificate that signs the clients'."
            )
        credentials = grpc.ssl_server_credentials(
            [(config.server_key.encode(), config.server_cert.encode())],
            root_certificates=config.custom_ca.encode() or None,
            require_client_auth=config.client_verify,
        )
        self._try(credentials)
        return credentials

    def _try(self, credentials: grpc.ServerCredentials) -> None:
        """Listen with the credentials for a moment: gRPC checks them only then, and loading models takes minutes."""
        server = grpc.server(futures.ThreadPoolExecutor(1))
        try:
            server.add_secure_port("localhost:0", credentials)
        except RuntimeError as error:
            raise ConfigError(
                f"{self.ssl_config_file}: gRPC refuses its key and certificates. Check that they are PEM "
                "text and belong together; `impasto-serving config` does."
            ) from error
        finally:
            server.stop(None).wait()
