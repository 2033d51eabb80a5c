"""Web servers that know nothing of gRPC."""

from __future__ import annotations

import contextlib
import http.server
import ssl
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def web_server(*, protocol: str = "HTTP/1.0", context: ssl.SSLContext | None = None) -> Iterator[str]:
    """The address of Python's own web server, with TLS if it has a context."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        protocol_version = protocol

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """Says nothing of connections that the client breaks off."""

    with Server(("127.0.0.1", 0), Quiet) as server:
        if context is not None:
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
