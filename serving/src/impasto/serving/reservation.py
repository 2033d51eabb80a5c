"""The addresses of a server that is still loading: held, so that they stay free, and closed, so that nobody waits."""

from __future__ import annotations

import contextlib
import errno
import socket
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import grpc

from impasto.serving.errors import AddressError

_NOT_HERE: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
"""The system's error for an address that this machine does not have, such as ::1 without IPv6."""

_TRIES: Final = 10
"""The number of looks for a port that is free at all addresses of a name."""


class Reservation:
    """Holds a port, and a Unix socket if one is wanted, until the server listens on them.

    The sockets are bound, and nothing listens on them: whoever connects is refused at once.

    Args:
        host: the name or address.
        port: the port; 0 takes a free one.
        socket_path: the Unix socket, if any. One that exists stays until the server replaces it.

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
        """Let the server listen on what is held.

        Raises:
            AddressError: another program has taken the address after all.
        """
        address = join(self.host, self.port)
        try:
            _add(server, address, credentials)
        except RuntimeError:
            # Linux lets gRPC bind what is held; elsewhere it has to be given up a moment before.
            self._release()
            try:
                _add(server, address, credentials)
            except RuntimeError as error:
                raise _taken(address, str(error)) from error
        if self._socket_path is not None:
            try:
                _add(server, f"unix:{self._socket_path}", credentials)
            except RuntimeError as error:
                raise _no_socket(self._socket_path, str(error)) from error
            self._placeholder = None  # gRPC has put its own in its place

    def close(self) -> None:
        """Give up what is held; a server that listens on it goes on."""
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
            raise _no_socket(path, error.strerror or str(error)) from error
        self._placeholder = path


def join(host: str, port: int) -> str:
    """`host:port`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _bound(host: str, port: int) -> list[socket.socket]:
    """A bound socket for each address of a host that this machine has, all at one port."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        addresses = list(dict.fromkeys((family, address) for family, _, _, _, address in found))
        for _ in range(_TRIES - 1 if port == 0 else 0):
            with contextlib.suppress(OSError):  # its last try says what is wrong
                return _bind_all(addresses, port)
        return _bind_all(addresses, port)
    except OSError as error:
        raise _taken(join(host, port), error.strerror or str(error)) from error


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


def _taken(address: str, reason: str) -> AddressError:
    return AddressError(
        f"cannot listen on {address}: {reason}. "
        "Stop the program that listens there, or choose another port (0 takes a free one)."
    )


def _no_socket(path: Path, reason: str) -> AddressError:
    return AddressError(
        f"cannot listen on the socket {path}: {reason}. "
        "Give a path of at most 107 bytes in a folder that this user may write to."
    )
