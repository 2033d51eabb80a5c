"""Studio in this process, on a free port, and a browser's session with it."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import uvicorn

from impasto.client import Settings
from impasto.client.studio.guard import Guard
from impasto.client.studio.queue import Limits
from impasto.client.studio.running import opened
from impasto.client.studio.studio import Studio

PATIENCE = 240
"""Seconds for what hangs."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Clock:
    """A clock that a test puts forward."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


@dataclass
class Running:
    """A Studio that runs.

    Attributes:
        port: on which it listens.
        studio: what it keeps.
        clock: by which it deletes.
        loop: the event loop that it runs in.
    """

    port: int
    studio: Studio
    clock: Clock
    loop: asyncio.AbstractEventLoop

    def sweep(self) -> None:
        """Delete now what is old enough."""
        asyncio.run_coroutine_threadsafe(self.studio.sweep(), self.loop).result(PATIENCE)

    def browser(self) -> Browser:
        """A new person."""
        return Browser(self.port)


@dataclass
class Browser:
    """One person's browser: it keeps its cookie, and says that it is Studio's page."""

    port: int
    cookie: str = ""
    headers: dict[str, str] = field(default_factory=lambda: {"X-Impasto": "1"})

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send a request, JSON where the body is no bytes."""
        data = (
            body if body is None or hasattr(body, "__next__") or isinstance(body, bytes) else json.dumps(body)
        )
        sent = {**self.headers, **({"Cookie": self.cookie} if self.cookie else {}), **headers}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request(method, path, data, sent)
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        for value in answer.headers.get_all("Set-Cookie") or ():
            self.cookie = value.partition(";")[0]
        return answer

    def get(self, path: str) -> Answer:
        return self.send("GET", path)

    def upload(self, data: bytes, name: str = "photo.png") -> dict[str, Any]:
        answer = self.send("POST", f"/api/pictures?name={name}", data)
        assert answer.status == 201, answer.body
        return dict(answer.json)

    def start(self, kind: str, tab: str | None = None, **fields: Any) -> dict[str, Any]:
        answer = self.send("POST", "/api/jobs", {"kind": kind, "tab": tab, "fields": fields})
        assert answer.status == 201, answer.body
        return dict(answer.json)

    def job(self, identity: str) -> dict[str, Any]:
        return dict(self.get(f"/api/jobs/{identity}").json)

    def opening(self) -> dict[str, Any]:
        """Return what the page is told when it opens, once it is known whether the model server answers.

        A page is not kept waiting for more than two seconds, which a busy machine may need.
        """
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            told: dict[str, Any] = self.get("/api/start").json
            if "not answered yet" not in told.get("server_error", ""):
                return told
            time.sleep(0.1)
        raise AssertionError(f"it is still not known whether the server answers: {told}")

    def wait(self, identity: str, *states: str) -> dict[str, Any]:
        """Wait until a job is in one of the states, by default an end."""
        wanted = states or ("done", "failed", "stopped")
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            job = self.job(identity)
            if job["state"] in wanted:
                return job
            time.sleep(0.02)
        raise AssertionError(f"{job['state']} instead of {wanted}: {job}")

    @contextlib.contextmanager
    def events(self, tab: str) -> Iterator[Iterator[dict[str, Any]]]:
        """Watch the jobs as a tab does."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request("GET", f"/api/events?tab={tab}", headers={"Cookie": self.cookie})
            response = connection.getresponse()
            assert response.status == 200

            def lines() -> Iterator[dict[str, Any]]:
                while line := response.readline():
                    if line.startswith(b"data: "):
                        yield json.loads(line[6:])

            yield lines()
            if connection.sock is not None:
                connection.sock.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def running(
    address: str, *, token: str | None = None, only_local: bool = True, **limits: Any
) -> Iterator[Running]:
    """Run a Studio for the model server at an address; `limits` are fields of Limits."""
    listening = socket.create_server(("127.0.0.1", 0))
    clock, started = Clock(), threading.Event()
    found: list[Any] = []

    async def run() -> None:
        stop = asyncio.Event()
        settings = Settings(address=address, patience=60.0)
        async with opened(settings, Limits(**limits), token=token, clock=clock) as (studio, routes):
            app = Guard(routes, only_local=only_local)
            config = uvicorn.Config(app, log_level="error", lifespan="off", timeout_graceful_shutdown=1)
            server = uvicorn.Server(config)
            serving = asyncio.create_task(server._serve([listening]))
            found.extend((studio, asyncio.get_running_loop(), stop))
            started.set()
            await stop.wait()
            server.should_exit = True
            await studio.close()
            await serving

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    assert started.wait(20), "Studio has not started"
    studio, loop, stop = found
    try:
        yield Running(listening.getsockname()[1], studio, clock, loop)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(PATIENCE)
        listening.close()
