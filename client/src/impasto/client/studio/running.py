"""The process: Studio on a port, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import tempfile
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from impasto.client import Settings
from impasto.client.studio.app import Routes
from impasto.client.studio.guard import Guard, is_local
from impasto.client.studio.queue import Limits
from impasto.client.studio.studio import Studio

_SWEEP_SECONDS: Final = 20.0
_MOST_CONNECTIONS: Final = 500
_GRACE_SECONDS: Final = 5


class _Server(uvicorn.Server):
    """A server that ends Studio's jobs before it waits for connections, as streams of events have no end."""

    def __init__(self, config: uvicorn.Config, studio: Studio, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._studio = studio
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._studio.close()
        await super().shutdown(sockets)


@contextlib.asynccontextmanager
async def opened(
    settings: Settings,
    limits: Limits,
    *,
    token: str | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncGenerator[tuple[Studio, ASGIApp]]:
    """Open a Studio and its routes, in a private folder that is deleted at the end."""
    with tempfile.TemporaryDirectory(prefix="impasto-studio-", ignore_cleanup_errors=True) as folder:
        studio = Studio(settings, Path(folder), limits, needs_token=token is not None, clock=clock)
        sweeping = asyncio.create_task(_sweep(studio))
        try:
            yield studio, Routes(studio, token).app()
        finally:
            sweeping.cancel()
            await studio.close()


async def serve(
    settings: Settings,
    limits: Limits,
    *,
    listening: socket.socket,
    token: str | None,
    ready: Callable[[], None],
) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        settings: of the model server.
        limits: what is taken on.
        listening: the bound socket.
        token: what people must show, if anything.
        ready: is called when the page can be opened.
    """
    host = listening.getsockname()[0]
    async with opened(settings, limits, token=token) as (studio, routes):
        config = uvicorn.Config(
            Guard(routes, only_local=is_local(host)),
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="off",
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        await _Server(config, studio, ready).serve([listening])


async def _sweep(studio: Studio) -> None:
    while True:
        await asyncio.sleep(_SWEEP_SECONDS)
        await studio.sweep()
