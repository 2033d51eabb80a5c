"""The gRPC channel to one or several TensorFlow Serving replicas: its target and its options."""

from __future__ import annotations

import ipaddress
import json
import os
import socket
from typing import Any, Final

import grpc

from impasto.client.errors import AddressError, CertificateError
from impasto.client.tls import TlsOptions

DEFAULT_ADDRESS: Final = "localhost:8500"
ADDRESS_VARIABLE: Final = "IMPASTO_SERVER"

_DEFAULT_PORT: Final = 8500
_LARGEST: Final = (
    2**31 - 1
)  # gRPC's largest message, in bytes; its default, 4 MB, is less than one photograph
_SCHEMES: Final = ("dns:", "ipv4:", "ipv6:", "unix:", "unix-abstract:", "xds:", "passthrough:")

_SERVICE_CONFIG: Final = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            # Every call of this API may be sent twice: none changes anything on the server.
            "name": [
                {"service": "tensorflow.serving.PredictionService"},
                {"service": "tensorflow.serving.ModelService"},
            ],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "2s",
                "backoffMultiplier": 3,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
}


def channel_options() -> list[tuple[str, Any]]:
    """The options of a channel, sync or async: no size limit, round robin, retries, keepalive."""
    return [
        ("grpc.max_send_message_length", _LARGEST),
        ("grpc.max_receive_message_length", _LARGEST),
        ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
        ("grpc.enable_retries", 1),
        # A request larger than this buffer is not retried; gRPC's default is 256 KiB, less than a small
        # picture.
        ("grpc.per_rpc_retry_buffer_size", _LARGEST),
        # Look for a restarted server within seconds; gRPC's default waits up to two minutes.
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.max_reconnect_backoff_ms", 3_000),
        # Notice a dead peer while a long call runs, but ask seldom: a gRPC server ends the connection of a client
        # that pings more often than every 5 minutes while it computes ("too_many_pings").
        ("grpc.keepalive_time_ms", 330_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.keepalive_permit_without_calls", 0),
    ]


def open_channel(address: str, tls: TlsOptions | None = None) -> grpc.Channel:
    """A channel to `address`, as `target` reads it, in plain text without `tls`. Nothing is sent until the first call.

    Raises:
        AddressError: the address cannot be used.
        CertificateError: a file of `tls` cannot be used, or the address is several replicas or a Unix socket and
            the name that the certificates are for is not given.
    """
    if tls is None:
        return grpc.insecure_channel(target(address), options=channel_options())
    if tls.server_name is None and ("," in address or address.startswith("unix")):
        raise CertificateError(
            f"tls: {address!r} is not one host by whose name a certificate can be checked; give the name that the "
            "certificate is for as server_name"
        )
    options = [*channel_options(), *tls.channel_options()]
    return grpc.secure_channel(target(address), tls.channel_credentials(), options=options)


def server_address(address: str | None) -> str:
    """The address to use: the one given, else the environment's IMPASTO_SERVER, else localhost:8500."""
    return address or os.environ.get(ADDRESS_VARIABLE) or DEFAULT_ADDRESS


def target(address: str) -> str:
    """The gRPC target of an address.

    Args:
        address: `host`, `host:port`, `[ipv6]:port` (port 8500 if there is none), several of these with commas
            between for replicas that share the work, or a gRPC target with its scheme (`dns:///name:port`,
            `unix:/path`), which is passed on as it is. One name is resolved by gRPC, again and again, to all
            its addresses; of several names each is resolved here, once, to its first.

    Raises:
        AddressError: the address cannot be parsed, or one of several names does not resolve.
    """
    if address.startswith(_SCHEMES):
        return address
    replicas = [_host_port(part.strip(), address) for part in address.split(",")]
    if len(replicas) == 1:
        host, port = replicas[0]
        family = _family(host)
        return f"dns:///{_join(host, port)}" if family is None else f"{family}:{_join(host, port)}"
    resolved = [(_resolve(host, port), port) for host, port in replicas]
    families = {_family(host) for host, _ in resolved}
    if len(families) > 1:
        raise AddressError(f"{address!r} mixes IPv4 and IPv6 addresses; give replicas of one kind")
    return f"{families.pop()}:" + ",".join(_join(host, port) for host, port in resolved)


def endpoints(address: str) -> list[tuple[str, int]]:
    """Host and port of each server of an address; none for the schemes that name something else."""
    if address.startswith(("dns:", "ipv4:", "ipv6:")):
        address = address.partition(":")[2].removeprefix("///")
    elif address.startswith(_SCHEMES):
        return []
    return [_host_port(part.strip(), address) for part in address.split(",")]


def _host_port(part: str, address: str) -> tuple[str, int]:
    if part.startswith("["):
        host, closed, rest = part[1:].partition("]")
        valid = bool(closed) and rest[:1] in ("", ":")
        port = rest[1:]
    elif part.count(":") > 1:
        host, port, valid = part, "", _family(part) == "ipv6"
    else:
        host, _, port = part.partition(":")
        valid = bool(host) and "/" not in host and not any(letter.isspace() for letter in host)
    if not valid or (port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536)):
        raise AddressError(f"{part!r} in server address {address!r} is not host:port, such as localhost:8500")
    return host, int(port) if port else _DEFAULT_PORT


def _family(host: str) -> str | None:
    """`ipv4` or `ipv6` for a numeric address, None for a name."""
    try:
        return f"ipv{ipaddress.ip_address(host).version}"
    except ValueError:
        return None


def _resolve(host: str, port: int) -> str:
    if _family(host) is not None:
        return host
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise AddressError(f"server name {host!r} does not resolve: {error}") from error
    ipv4_first = sorted(found, key=lambda entry: entry[0] != socket.AF_INET)
    return str(ipv4_first[0][4][0])


def _join(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
