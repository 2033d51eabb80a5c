"""The gRPC channel to one or several TensorFlow Serving replicas, as the settings want it.

gRPC looks a single name up again by itself. Of several it takes addresses only, so their names are looked up here: a
name that means nothing yet, as that of a container that is started again, is left out and asked for again later.
"""

from __future__ import annotations

import json
import math
import threading
import time
from typing import Any, Final

import grpc

from impasto.client._transport import forks
from impasto.client.errors import AddressError, CertificateError, ClientClosed
from impasto.client.settings import Settings
from impasto.client.settings.addresses import Resolved, endpoints, is_on_this_machine, resolved

LOOKUP_PERIOD: Final = 30.0
"""Seconds between two looks for the names that had no address."""

LOOKUP_AFTER_FAILURE: Final = 5.0
"""The least number of seconds between two looks for all names, while no replica answers."""


class Lookup:
    """The places of an address's replicas. Threads may share one.

    Args:
        address: the server's, as the client was given it.

    Raises:
        AddressError: the address cannot be parsed, or none of its names resolves.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._found: Resolved = resolved(address)
        self._looked = time.monotonic()
        self._lock = forks.Lock()

    @property
    def target(self) -> str:
        """The gRPC target, as it was found last."""
        return self._found.target

    def look_again(self, *, failed: bool = False) -> None:
        """Look the names up again if it is time to, in a thread of its own: name servers may be slow.

        Args:
            failed: whether no replica answered.
        """
        if not (self._found.missing or (failed and self._found.has_names)):
            return
        with self._lock:
            now = time.monotonic()
            if now < self._looked + (LOOKUP_AFTER_FAILURE if failed else LOOKUP_PERIOD):
                return
            self._looked = now
        threading.Thread(target=self._look, name="impasto-names", daemon=True).start()

    def _look(self) -> None:
        try:
            self._found = resolved(self._address)
        except AddressError:
            return  # none of them resolves just now: those that were found stay


_SERVICE_CONFIG: Final = json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})
_NEVER: Final = 2**31 - 1  # milliseconds; gRPC's largest number

COMPRESSION: Final = {"none": grpc.Compression.NoCompression, "gzip": grpc.Compression.Gzip}
"""gRPC's value for each of the settings'."""


class Closable:
    """The part of a transport that knows whether it is closed.

    Args:
        address: the server's.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._closed = False

    def check_open(self, model: str = "") -> None:
        """Check that the transport is open. Raises ClientClosed, which names the `model` that was to be called."""
        if self._closed:
            raise ClientClosed(
                f"the client of {self.address} is closed; make another one for further calls",
                model=model or None,
            )


def channel_options(settings: Settings) -> list[tuple[str, Any]]:
    """Return the options of a channel, sync or async: message sizes, round robin, keepalive, proxy, TLS's name."""
    keepalive = _NEVER if math.isinf(settings.keepalive) else round(settings.keepalive * 1000)
    return [
        # gRPC's default, 4 MB, is less than one photograph.
        ("grpc.max_send_message_length", settings.max_message_bytes),
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.service_config", _SERVICE_CONFIG),
        ("grpc.enable_retries", 0),  # calls are sent again by one policy, which is in `patience`
        # Look for a restarted server within seconds; gRPC's default waits up to two minutes.
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.max_reconnect_backoff_ms", 3_000),
        # Notice a dead peer while a long call runs, but ask seldom: a gRPC server ends the connection of a client
        # that pings more often than every 5 minutes while it computes ("too_many_pings").
        ("grpc.keepalive_time_ms", keepalive),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.keepalive_permit_without_calls", 0),
        # A child shares no connection with its parent, whose state it would have a stale copy of.
        ("grpc.use_local_subchannel_pool", int(forks.process().is_child)),
        ("grpc.enable_http_proxy", int(_may_use_proxy(settings))),
        *(settings.tls.channel_options() if settings.tls is not None else []),
    ]


def credentials(settings: Settings) -> grpc.ChannelCredentials | None:
    """Return the credentials of a channel, sync or async; None for plain text.

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
    """Open a gRPC channel with a client's settings, for calls that the client does not have, by stubs of your own.

    It goes to where the address is now. Nothing is sent until the first call, and none is sent again by itself.

    Args:
        settings: the settings of the connection, such as those of `Client.settings`.

    Raises:
        AddressError: the address cannot be used.
        CertificateError: a file of `tls` cannot be used; see `credentials`.
    """
    return channel_to(resolved(settings.address).target, settings, credentials(settings))


def channel_to(target: str, settings: Settings, encrypted: grpc.ChannelCredentials | None) -> grpc.Channel:
    """Open a channel to a gRPC target with these settings and credentials. Nothing is sent until the first call."""
    options, compression = channel_options(settings), COMPRESSION[settings.compression]
    channel = (
        grpc.insecure_channel(target, options=options, compression=compression)
        if encrypted is None
        else grpc.secure_channel(target, encrypted, options=options, compression=compression)
    )
    forks.made(channel)
    return channel


def _may_use_proxy(settings: Settings) -> bool:
    """Return whether calls may go through the HTTP proxy that the environment names, if it names one.

    Not to this machine, which a proxy cannot reach; not to replicas, of which gRPC would ask the proxy for all at once;
    and not with credentials in plain text, which the proxy could read.
    """
    if settings.has_credentials and settings.tls is None:
        return False
    return not is_on_this_machine(settings.address) and len(endpoints(settings.address)) <= 1
