"""The gRPC channel to one or several TensorFlow Serving replicas, as the settings want it."""

from __future__ import annotations

import json
import math
from typing import Any, Final

import grpc

from impasto.client.addresses import endpoints, is_on_this_machine, resolved
from impasto.client.errors import CertificateError
from impasto.client.settings import Retries, Settings

_SERVICES: Final = ("tensorflow.serving.PredictionService", "tensorflow.serving.ModelService")
_NEVER: Final = 2**31 - 1  # milliseconds; gRPC's largest number

COMPRESSION: Final = {"none": grpc.Compression.NoCompression, "gzip": grpc.Compression.Gzip}
"""gRPC's value for each of the settings'."""


def channel_options(settings: Settings) -> list[tuple[str, Any]]:
    """The options of a channel, sync or async: message sizes, round robin, retries, keepalive, proxy, TLS's name."""
    keepalive = _NEVER if math.isinf(settings.keepalive) else round(settings.keepalive * 1000)
    return [
        # gRPC's default, 4 MB, is less than one photograph.
        ("grpc.max_send_message_length", settings.max_message_bytes),
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.service_config", json.dumps(_service_config(settings.retries))),
        ("grpc.enable_retries", 1),
        # A request larger than this buffer is not retried; gRPC's default is 256 KiB, less than a small
        # picture.
        ("grpc.per_rpc_retry_buffer_size", settings.max_message_bytes),
        # Look for a restarted server within seconds; gRPC's default waits up to two minutes.
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.max_reconnect_backoff_ms", 3_000),
        # Notice a dead peer while a long call runs, but ask seldom: a gRPC server ends the connection of a client
        # that pings more often than every 5 minutes while it computes ("too_many_pings").
        ("grpc.keepalive_time_ms", keepalive),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.keepalive_permit_without_calls", 0),
        ("grpc.enable_http_proxy", int(_may_use_proxy(settings))),
        *(settings.tls.channel_options() if settings.tls is not None else []),
    ]


def credentials(settings: Settings) -> grpc.ChannelCredentials | None:
    """The credentials of a channel, sync or async; None for plain text.

    Raises:
        CertificateError: a file of `tls` cannot be used, or the address is several replicas or a Unix socket and
            the name that the certificates are for is not given.
    """
    tls, address = settings.tls, settings.address
    if tls is None:
        return None
    if tls.server_name is None and ("," in address or address.startswith("unix")):
        raise CertificateError(
            f"tls: {address!r} is not one host by whose name a certificate can be checked; give the name that the "
            "certificate is for as server_name"
        )
    return tls.channel_credentials()


def open_channel(settings: Settings) -> grpc.Channel:
    """A channel to the settings' address as it resolves now. Nothing is sent until the first call.

    Raises:
        AddressError: the address cannot be used.
        CertificateError: a file of `tls` cannot be used; see `credentials`.
    """
    return channel_to(resolved(settings.address).target, settings, credentials(settings))


def channel_to(target: str, settings: Settings, encrypted: grpc.ChannelCredentials | None) -> grpc.Channel:
    """A channel to a gRPC target with these settings and credentials. Nothing is sent until the first call."""
    options, compression = channel_options(settings), COMPRESSION[settings.compression]
    if encrypted is None:
        return grpc.insecure_channel(target, options=options, compression=compression)
    return grpc.secure_channel(target, encrypted, options=options, compression=compression)


def _may_use_proxy(settings: Settings) -> bool:
    """Whether calls may go through the HTTP proxy that the environment names, if it names one.

    Not to this machine, which a proxy cannot reach; not to replicas, of which gRPC would ask the proxy for all at once;
    and not with credentials in plain text, which the proxy could read.
    """
    if settings.has_credentials and settings.tls is None:
        return False
    return not is_on_this_machine(settings.address) and len(endpoints(settings.address)) <= 1


def _service_config(retries: Retries) -> dict[str, Any]:
    # Every call of this API may be sent twice: none changes anything on the server.
    method: dict[str, Any] = {"name": [{"service": service} for service in _SERVICES]}
    if retries.attempts > 1:
        method["retryPolicy"] = {
            "maxAttempts": retries.attempts,
            "initialBackoff": f"{retries.first_pause:.3f}s",
            "maxBackoff": f"{retries.longest_pause:.3f}s",
            "backoffMultiplier": 3,
            "retryableStatusCodes": ["UNAVAILABLE"],
        }
    return {"loadBalancingConfig": [{"round_robin": {}}], "methodConfig": [method]}
