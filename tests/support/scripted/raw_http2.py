"""A server that speaks HTTP/2 byte by byte, so that a test can break a connection where it likes."""

from __future__ import annotations

import contextlib
import itertools
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
ACKNOWLEDGED = END_STREAM = 1
END_HEADERS = 4
_PREFACE_LENGTH = 24
_HEADER_LENGTH = 9

Act = Callable[["Stream"], None]
"""Does something about a call whose request has been read. EOFError closes the connection; else it goes on."""


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """A frame of HTTP/2."""
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def header_block(headers: Mapping[str, str]) -> bytes:
    """Headers without compression: each a literal that is not indexed, with a new name."""
    parts = ((name.encode(), value.encode()) for name, value in headers.items())
    return b"".join(
        b"\0" + bytes((len(name),)) + name + bytes((len(value),)) + value for name, value in parts
    )


@dataclass(frozen=True)
class Stream:
    """One call on its connection.

    Attributes:
        connection: with the client.
        number: the stream's.
    """

    connection: socket.socket
    number: int

    def send(self, kind: int, payload: bytes, *, flags: int = 0, stream: int | None = None) -> None:
        """Send a frame, of this stream unless another one is named."""
        self.connection.sendall(frame(kind, flags, self.number if stream is None else stream, payload))

    def headers(self, headers: Mapping[str, str], *, end: bool = False) -> None:
        """Send a block of headers."""
        self.send(HEADERS, header_block(headers), flags=END_HEADERS | (END_STREAM if end else 0))


def answering(message: bytes) -> Act:
    """Answers as a gRPC server does."""

    def act(stream: Stream) -> None:
        stream.headers({":status": "200", "content-type": "application/grpc"})
        stream.send(DATA, b"\0" + struct.pack(">I", len(message)) + message)
        stream.headers({"grpc-status": "0"}, end=True)

    return act


def resetting(code: int) -> Act:
    """Ends the stream by RST_STREAM with this code."""

    def act(stream: Stream) -> None:
        stream.send(RST_STREAM, struct.pack(">I", code))

    return act


def going_away(code: int) -> Act:
    """Ends the connection by GOAWAY with this code, as having seen no call."""

    def act(stream: Stream) -> None:
        stream.send(GOAWAY, struct.pack(">II", 0, code) + b"words", stream=0)

    return act


def closing(stream: Stream) -> None:
    """Closes the connection."""
    raise EOFError


def killed(stream: Stream) -> None:
    """Resets the connection, as the kernel does for a process that is killed."""
    stream.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise EOFError


def answering_http(status: int, body: bytes = b"<html>") -> Act:
    """Answers as a web server that knows nothing of gRPC."""

    def act(stream: Stream) -> None:
        stream.headers({":status": str(status), "content-type": "text/html"})
        stream.send(DATA, body, flags=END_STREAM)

    return act


def garbling(stream: Stream) -> None:
    """Sends what is no frame."""
    stream.connection.sendall(b"\xff" * 200)


@dataclass
class RawServer:
    """A running server.

    Attributes:
        address: where it listens.
        calls: how many requests it has read.
    """

    address: str
    calls: int = 0
    _connections: list[socket.socket] = field(default_factory=list)


@contextlib.contextmanager
def raw_server(acts: Sequence[Act]) -> Iterator[RawServer]:
    """A server on a free port that does one act after another, a call each, and the last one for all further calls."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = RawServer(f"127.0.0.1:{listener.getsockname()[1]}")
        turns = itertools.chain(acts, itertools.repeat(acts[-1]))
        lock = threading.Lock()

        def serve(connection: socket.socket) -> None:
            requests = _Requests(connection)
            with connection, contextlib.suppress(OSError, EOFError):
                while True:
                    number = requests.next_stream()
                    with lock:
                        server.calls += 1
                        act = next(turns)
                    act(Stream(connection, number))

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    server._connections.append(connection)
                    threads.append(threading.Thread(target=serve, args=(connection,)))
                    threads[-1].start()

        threads = [threading.Thread(target=accept)]
        threads[0].start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)  # which ends the waiting for a connection
            threads[0].join()
            for connection in server._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            for thread in threads[1:]:
                thread.join()


class _Requests:
    """What a client sends over one connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._received = b""
        self._greeted = False

    def next_stream(self) -> int:
        """Read until a request is whole; the number of its stream. Raises EOFError."""
        if not self._greeted:
            self._take(_PREFACE_LENGTH)
            self._connection.sendall(frame(SETTINGS, 0, 0))
            self._greeted = True
        while True:
            header = self._take(_HEADER_LENGTH)
            kind, flags, stream = header[3], header[4], int.from_bytes(header[5:], "big")
            payload = self._take(int.from_bytes(header[:3], "big"))
            if kind == SETTINGS and not flags & ACKNOWLEDGED:
                self._connection.sendall(frame(SETTINGS, ACKNOWLEDGED, 0))
            elif kind == PING and not flags & ACKNOWLEDGED:
                self._connection.sendall(frame(PING, ACKNOWLEDGED, 0, payload))
            elif kind == DATA and flags & END_STREAM:
                return stream

    def _take(self, length: int) -> bytes:
        while len(self._received) < length:
            more = self._connection.recv(65536)
            if not more:
                raise EOFError
            self._received += more
        taken, self._received = self._received[:length], self._received[length:]
        return taken
