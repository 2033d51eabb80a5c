"""An HTTP proxy that really listens, keeps what it is asked for, and answers nothing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class RecordingProxy:
    """A running proxy.

    Attributes:
        url: for `http_proxy`.
        asked: the first line of what each connection sent.
    """

    url: str
    asked: list[str] = field(default_factory=list)


@contextmanager
def recording_proxy() -> Iterator[RecordingProxy]:
    """A proxy on a free port; every connection ends once it has said what it wants."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = RecordingProxy(f"http://127.0.0.1:{listener.getsockname()[1]}")
        thread = threading.Thread(target=_record, args=(listener, proxy))
        thread.start()
        try:
            yield proxy
        finally:
            listener.shutdown(socket.SHUT_RDWR)  # which ends the waiting for a connection
            thread.join()


def _record(listener: socket.socket, proxy: RecordingProxy) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            proxy.asked.append(connection.recv(4096).partition(b"\r\n")[0].decode())
