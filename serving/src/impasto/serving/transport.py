"""Settings of the server's transport: a Unix socket, TLS, and gRPC's own."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import grpc

from impasto.serving.errors import ConfigError
from impasto.serving.schema.server_files_pb2 import SSLConfig
from impasto.serving.text_files import read_text_file

_LARGEST_MESSAGE: Final = 2**31 - 1
_LARGEST_HEADERS: Final = 8192


@dataclass(frozen=True)
class GrpcOptions:
    """What clients find at the address.

    Attributes:
        socket_path: a Unix socket to listen on as well.
        ssl_config_file: a text SSLConfig with key and certificates as PEM text; TLS on the port and the
            socket. Plain text if None.
        channel_arguments: gRPC's own settings, such as `grpc.max_connection_age_ms`.
        health_service: offer the health service.
    """

    socket_path: Path | None = None
    ssl_config_file: Path | None = None
    channel_arguments: Mapping[str, int | str] = field(default_factory=dict)
    health_service: bool = True

    def server_options(self) -> list[tuple[str, int | str]]:
        """The settings of the gRPC server; the arguments given come last and win."""
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
        """The server's key and certificates; None without TLS.

        Raises:
            ConfigError: the file cannot be read or lacks a part, or gRPC refuses what it holds.
        """
        if self.ssl_config_file is None:
            return None
        config = read_text_file(self.ssl_config_file, SSLConfig())
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
        """Listen with the credentials for a moment: gRPC looks at them only then, and loading takes minutes."""
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
