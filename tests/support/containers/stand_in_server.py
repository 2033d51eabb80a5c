"""A stand-in for tensorflow_model_server in a container: `impasto-serving local`, and the REST of a health check.

Takes tensorflow_model_server's flags. Nothing is converted for REST: who is loaded comes from the same server.
"""

from __future__ import annotations

import http.server
import json
import sys
import threading
from typing import Any, Final

from impasto.serving import LocalServer, cli

STATUS: Final = "/v1/models/"

_servers: Final[list[LocalServer]] = []


def _remembered(*arguments: Any, **options: Any) -> LocalServer:
    """The server that the command makes, kept for REST."""
    server = LocalServer(*arguments, **options)
    _servers.append(server)
    return server


class _Rest(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        name = self.path.removeprefix(STATUS)
        versions = [version for server in _servers for model, version in server.loaded if model == name]
        states = [{"version": str(version), "state": "AVAILABLE"} for version in versions]
        found = {"model_version_status": states} if states else {"error": f"no version of {name}"}
        body = json.dumps(found, indent=1).encode()
        self.send_response(200 if states else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


def main(flags: list[str]) -> None:
    """Serve by these flags until the process is told to stop."""
    (port,) = [int(flag.partition("=")[2]) for flag in flags if flag.startswith("--rest_api_port=")]
    rest = http.server.ThreadingHTTPServer(("", port), _Rest)
    threading.Thread(target=rest.serve_forever, daemon=True).start()
    vars(cli)["LocalServer"] = _remembered
    cli.main(["local", "--host=0.0.0.0", *flags])


if __name__ == "__main__":
    main(sys.argv[1:])
