"""Runs the service: `python examples/app`, and `--help` for its limits."""

from __future__ import annotations

import argparse
import socket
from contextlib import suppress
from dataclasses import asdict, fields

import uvicorn
from jobs import Limits
from web import create_app


class Server(uvicorn.Server):
    """A server that ends its jobs before it waits for connections, since progress is a connection without end."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Cancel the jobs, tell those who watch, and stop."""
        await self.config.app.state.service.jobs.close()  # type: ignore[union-attr]
        await super().shutdown(sockets)


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python examples/app", description="Pictures made in the browser.")
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 opens it to the network")
    parser.add_argument("--port", type=int, default=8000)
    for name, default in asdict(Limits()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    options = parser.parse_args()
    app = create_app(Limits(**{field.name: getattr(options, field.name) for field in fields(Limits)}))
    config = uvicorn.Config(
        app, options.host, options.port, limit_concurrency=100, timeout_graceful_shutdown=10
    )
    with suppress(KeyboardInterrupt):  # uvicorn has stopped in good order before it raises it
        Server(config).run()


if __name__ == "__main__":
    main()
