"""A running `impasto studio`, and what browsers ask it for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from dataclasses import dataclass, field


@dataclass
class Studio:
    """A Studio that answers.

    Attributes:
        url: the address that it printed.
        process: it.
        requests: of all pages, by method and path without identities.
        foreign: the addresses of other places that a page asked for.
    """

    url: str
    process: subprocess.Popen[str]
    requests: set[str] = field(default_factory=set[str])
    foreign: list[str] = field(default_factory=list[str])

    def note(self, method: str, url: str) -> None:
        """Notes a request, or that it left for another place; a picture of the page's own memory is none."""
        if url.startswith(("blob:", "data:")):
            return
        if not url.startswith(self.url):
            self.foreign.append(url)
        path = url.removeprefix(self.url).partition("?")[0]
        path = re.sub(r"(jobs|pictures)/[^/]+", r"\1/{id}", path)
        self.requests.add(f"{method} /" + re.sub(r"strip/\d+", "strip/{n}", path))

    def stop(self) -> None:
        """Ends it."""
        self.process.terminate()
        self.process.wait(timeout=60)
        if self.process.stdout is not None:
            self.process.stdout.close()


def start_studio(*arguments: str, server: str) -> Studio:
    """Starts a Studio in front of the model server at this address, and waits until it has printed its own."""
    command = [
        sys.executable,
        "-m",
        "impasto.client",
        "studio",
        "--port",
        "0",
        *arguments,
        "--server",
        server,
    ]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    assert process.stdout is not None
    said: list[str] = []
    for line in process.stdout:
        said.append(line)
        if found := re.search(r"http://(?:127\.0\.0\.1|localhost):\d+", line):
            threading.Thread(target=process.stdout.read, daemon=True).start()  # a full pipe would stop it
            return Studio(found[0] + "/", process)
    raise AssertionError("Studio did not start: " + "".join(said))


ASKED = frozenset(
    (
        "GET /",
        "GET /api/start",
        "GET /api/events",
        "GET /api/jobs",
        "GET /api/server",
        "GET /api/results.zip",
        "GET /api/pictures",
        "GET /api/pictures/{id}",
        "GET /api/pictures/{id}/thumb",
        "DELETE /api/jobs/{id}",
        "GET /api/jobs/{id}/preview",
        "GET /api/jobs/{id}/result",
        "GET /api/jobs/{id}/strip/{n}",
        "POST /api/pictures",
        "POST /api/jobs",
        "POST /api/explain",
        "POST /api/compare",
        "POST /api/jobs/{id}/stop",
        "POST /api/jobs/{id}/resume",
        "POST /api/login",
    )
)
"""All that a page asks for, beside its own files."""
