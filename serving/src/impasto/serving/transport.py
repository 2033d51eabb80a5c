"""How the server listens: addresses, TLS, and gRPC's own settings."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import grpc

from impasto.serving.errors import AddressError, ConfigError
from impasto.serving.schema.server_files_pb2 import SSLConfig
from impasto.serving.text_files import read_text_file

_LARGEST_MESSAGE: Final = 2**31 - 1


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
            ("grpc.so_reuseport", 0),  # two servers must not share a port unnoticed
            *self.channel_arguments.items(),
        ]

    def credentials(self) -> grpc.ServerCredentials | None:
        """The server's key and certificates; None without TLS.

        Raises:
            ConfigError: the file cannot be read or lacks a part.
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
        return grpc.ssl_server_credentials(
            [(config.server_key.encode(), config.server_cert.encode())],
            root_certificates=config.custom_ca.encode() or None,
            require_client_auth=config.client_verify,
        )

    def bind(self, server: grpc.Server, host: str, port: int) -> int:
        """Binds the port and the socket.

        Returns:
            The port, which gRPC chooses if 0 was asked for.

        Raises:
            AddressError: one of them cannot be listened on.
            ConfigError: the TLS file cannot be used.
        """
        credentials = self.credentials()
        try:
            bound = _bind(server, join(host, port), credentials)
        except RuntimeError as error:
            reason = _reason(host, port)
            if reason is None and credentials is not None:
                raise ConfigError(
                    f"{self.ssl_config_file}: gRPC refuses its key and certificates. Check that they are PEM "
                    "text and belong together; `impasto-serving config` does."
                ) from error
            raise AddressError(
                f"cannot listen on {join(host, port)}: {reason or error}. "
                "Stop the program that listens there, or choose another port (0 takes a free one)."
            ) from error
        if self.socket_path is not None:
            try:
                _bind(server, f"unix:{self.socket_path}", credentials)
            except RuntimeError as error:
                raise AddressError(
                    f"cannot listen on the socket {self.socket_path}: {error}. "
                    "Give a path of at most 107 bytes in a folder that this user may write to."
                ) from error
        return bound


def join(host: str, port: int) -> str:
    """`host:port`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _bind(server: grpc.Server, address: str, credentials: grpc.ServerCredentials | None) -> int:
    if credentials is None:
        return server.add_insecure_port(address)
    return server.add_secure_port(address, credentials)


def _reason(host: str, port: int) -> str | None:
    """Why the address cannot be bound: gRPC does not say, so the system is asked once more."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return error.strerror
    return None
