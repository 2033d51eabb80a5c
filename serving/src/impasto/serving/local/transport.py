"""The server's addresses and its health service."""

from __future__ import annotations

import contextlib
import errno
import socket
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from impasto.serving.errors import AddressError, reason

_NOT_HERE: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
"""The system's error for an address that this machine does not have, such as ::1 without IPv6."""

_TRIES: Final = 10
"""The number of looks for a port that is free at all addresses of a name."""

_HEALTH_NAMES: Final = ("", "ModelService", "PredictionService")
"""The names that TensorFlow Serving registers."""


class Reservation:
    """A port, and maybe a Unix socket, that are held while the models load, until the server listens on them.

    The sockets are bound, so the addresses stay free; nothing listens on them, so connections are refused at once.

    Args:
        host: the name or address.
        port: the port; 0 takes a free one.
        socket_path: the Unix socket, if any. An existing one stays until the server replaces it.

    Raises:
        AddressError: the port is taken, the host is not this machine, or the socket cannot be made.
    """

    def __init__(self, host: str, port: int, socket_path: Path | None) -> None:
        self.host = host
        self._sockets = _bound(host, port)
        self.port: int = self._sockets[0].getsockname()[1]
        self._socket_path = socket_path
        self._placeholder: Path | None = None
        if socket_path is not None:
            try:
                self._hold(socket_path)
            except BaseException:
                self.close()
                raise

    def listen(self, server: grpc.Server, credentials: grpc.ServerCredentials | None) -> None:
        """Let the server listen on the held addresses.

        Raises:
            AddressError: another program has taken the address after all.
        """
        address = join(self.host, self.port)
        try:
            _add(server, address, credentials)
        except RuntimeError:
            # Linux lets gRPC bind a held address; other systems need it to be given up a moment before.
            self._release()
            try:
                _add(server, address, credentials)
            except RuntimeError as error:
                raise _taken(address, error) from error
        if self._socket_path is not None:
            try:
                _add(server, f"unix:{self._socket_path}", credentials)
            except RuntimeError as error:
                raise _no_socket(self._socket_path, error) from error
            self._placeholder = None  # gRPC has put its own in its place

    def close(self) -> None:
        """Give up the held addresses; a server that listens on them goes on."""
        self._release()
        if self._placeholder is not None:
            self._placeholder.unlink(missing_ok=True)
            self._placeholder = None

    def _release(self) -> None:
        for held in self._sockets:
            held.close()

    def _hold(self, path: Path) -> None:
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(path.stat().st_mode):
                return
        held = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sockets.append(held)
        try:
            held.bind(str(path))
        except OSError as error:
            raise _no_socket(path, error) from error
        self._placeholder = path


class Health:
    """The gRPC health service: SERVING from the start until `stop_serving`.

    Args:
        server: the server that gets the service; it must not have started.
    """

    def __init__(self, server: grpc.Server) -> None:
        self._servicer = _HealthServicer()
        for service in _HEALTH_NAMES:
            self._servicer.set(service, health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)

    def stop_serving(self) -> None:
        """Turn every service NOT_SERVING."""
        self._servicer.enter_graceful_shutdown()


class _HealthServicer(health.HealthServicer):
    """Python's service, which refuses unknown names in the words of gRPC's C++ service."""

    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802  # the method's name in the API
        if request.service not in _HEALTH_NAMES:
            context.abort(grpc.StatusCode.NOT_FOUND, "service name unknown")
        return super().Check(request, context)


def join(host: str, port: int) -> str:
    """Return `host:port`, with an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _bound(host: str, port: int) -> list[socket.socket]:
    """Bind a socket for each address of a host that this machine has, all at one port."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        addresses = list(dict.fromkeys((family, address) for family, _, _, _, address in found))
        for _ in range(_TRIES - 1 if port == 0 else 0):
            with contextlib.suppress(OSError):  # its last try says what is wrong
                return _bind_all(addresses, port)
        return _bind_all(addresses, port)
    except UnicodeError as error:  # no name of a host has this form
        raise AddressError(
            f"cannot listen on {join(host, port)}: no machine can have this name. Give an address of this machine, "
            "such as 127.0.0.1."
        ) from error
    except OSError as error:
        raise _taken(join(host, port), error) from error


def _bind_all(addresses: Sequence[tuple[socket.AddressFamily, Any]], port: int) -> list[socket.socket]:
    bound: list[socket.socket] = []
    absent: OSError | None = None
    try:
        for family, address in addresses:
            try:
                held = _bind(family, (address[0], port, *address[2:]))
            except OSError as error:
                if error.errno not in _NOT_HERE:
                    raise
                absent = error
                continue
            bound.append(held)
            port = held.getsockname()[1]
        if absent is not None and not bound:
            raise absent
    except BaseException:
        for held in bound:
            held.close()
        raise
    return bound


def _bind(family: socket.AddressFamily, address: Any) -> socket.socket:
    held = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Connections of a server that has just stopped must not count, and gRPC must be able to bind beside this.
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(address)
    except BaseException:
        held.close()
        raise
    return held


def _add(server: grpc.Server, address: str, credentials: grpc.ServerCredentials | None) -> None:
    if credentials is None:
        server.add_insecure_port(address)
    else:
        server.add_secure_port(address, credentials)


def _taken(address: str, error: OSError | RuntimeError) -> AddressError:
    return AddressError(
        f"cannot listen on {address}: {reason(error)}. "
        "Stop the program that listens there, or choose another port (0 takes a free one)."
    )


def _no_socket(path: Path, error: OSError | RuntimeError) -> AddressError:
    return AddressError(
        f"cannot listen on the socket {path}: {reason(error)}. "
        "Give a path of at most 107 bytes in a folder that this user may write to."
    )
