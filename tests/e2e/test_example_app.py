"""The web service of examples/app as a person runs it: its own process, real HTTP, a real model server behind it."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from impasto.client import Client, Upscale, read_picture
from processes.command_line import free_port, server_process, wait_until
from servers.model_servers import ModelServer, serving

LOCAL_SERVER_ONLY = "the service is about what is around a client, not about its server"

APP = Path(__file__).parents[2] / "examples" / "app"
PATIENCE = 240
"""Seconds for what hangs."""

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec(package) is None, reason=f"{package} is not installed: the group dev has it"
    )
    for package in ("fastapi", "uvicorn")
]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class App:
    """The running service, and what its page does with it."""

    process: subprocess.Popen[bytes]
    port: int
    folder: Path

    def send(self, method: str, path: str, body: bytes | None = None) -> Answer:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as refusal:
            with refusal:
                return Answer(refusal.code, refusal.headers, refusal.read())

    def upload(self, picture: bytes) -> str:
        answer = self.send("POST", "/pictures", picture)
        assert answer.status == 201, answer.body
        return str(answer.json["picture"])

    def start(self, kind: str, *pictures: bytes) -> str:
        order = zip(("photo", "style"), map(self.upload, pictures), strict=False)
        answer = self.send("POST", f"/jobs?kind={kind}&" + "&".join(map("=".join, order)))
        assert answer.status == 202, answer.body
        return str(answer.json["job"])

    def events(self, job: str) -> Iterator[dict[str, Any]]:
        url = f"http://127.0.0.1:{self.port}/jobs/{job}/events"
        with urllib.request.urlopen(url, timeout=PATIENCE) as stream:
            assert stream.headers["Content-Type"].startswith("text/event-stream")
            for line in stream:
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])

    def last(self, job: str) -> dict[str, Any]:
        return list(self.events(job))[-1]

    @property
    def files(self) -> list[Path]:
        return [path for path in self.folder.rglob("*") if path.is_file()]


@contextmanager
def running(server: str, folder: Path, *options: str) -> Iterator[App]:
    """The service as a process, whose temporary files are in a folder of their own."""
    port, temporary = free_port(), folder / "temporary"
    temporary.mkdir()
    environment = {
        **os.environ,
        "IMPASTO_SERVER": server,
        "IMPASTO_CLIENT_CONFIG": os.devnull,
        "TMPDIR": str(temporary),
    }
    log = folder / "app.log"
    with log.open("wb") as file:
        command = [sys.executable, str(APP), "--port", str(port), *options]
        process = subprocess.Popen(command, stdout=file, stderr=file, env=environment)

    def listens() -> bool:
        assert process.poll() is None, log.read_text()
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        return False

    try:
        wait_until(listens)
        yield App(process, port, temporary)
    finally:
        process.kill()
        process.wait()


def png(width: int, height: int) -> bytes:
    """A picture with something to see: stripes."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, ::7] = (200, 120, 40)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


MANY_TILES = png(10_000, 100)
"""20 tiles and more, each of few pixels: long enough to do something meanwhile."""


@pytest.fixture(scope="module")
def app(committed_server: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    limits = ("--upload-megabytes", "1", "--megapixels", "4")
    with running(committed_server.address, tmp_path_factory.mktemp("app"), *limits) as started:
        yield started


def test_a_picture_is_uploaded_upscaled_watched_fetched_and_deleted(
    app: App, committed_server: ModelServer
) -> None:
    assert app.send("GET", "/offer").json["kinds"] == ["upscale"]
    photo = png(700, 300)
    job = app.start("upscale", photo)
    news = list(app.events(job))
    assert news[-1] == {"state": "done", "done": 2, "total": 2, "message": ""}
    assert {each["state"] for each in news[:-1]} <= {"queued", "running"}
    assert list(app.events(job)) == news[-1:]  # who comes later, or again, hears how it ended
    result = app.send("GET", f"/jobs/{job}/result")
    assert (result.status, result.headers["Content-Type"]) == (200, "image/png")
    with Client(committed_server.address) as client:
        assert np.array_equal(read_picture(result.body).rgb, read_picture(client.run(Upscale(photo))).rgb)
    assert app.files
    assert app.send("DELETE", f"/jobs/{job}").status == 204
    assert app.send("GET", f"/jobs/{job}/result").status == 404
    wait_until(lambda: not app.files)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 422, "empty"),
        (b"<svg/>", 422, "not an image"),
        (png(40, 40)[:70], 422, "damaged|ends"),
        (png(2100, 2000), 413, "pixels"),
        (bytes(1_000_001), 413, "larger than 1 MB"),
    ],
    ids=["nothing", "no picture", "half a picture", "too many pixels", "too many bytes"],
)
def test_a_bad_upload_is_refused_in_words(app: App, body: bytes, status: int, words: str) -> None:
    answer = app.send("POST", "/pictures", body)
    assert answer.status == status
    assert re.search(words, answer.json["detail"]), answer.json


def test_an_upload_that_breaks_off_or_never_ends_takes_nothing_from_others(
    committed_server: ModelServer, tmp_path: Path
) -> None:
    head = b"POST /pictures HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n12345"
    with running(committed_server.address, tmp_path, "--upload-seconds", "0.5") as app:
        with socket.create_connection(("127.0.0.1", app.port), PATIENCE) as broken:
            broken.sendall(head)
        with socket.create_connection(("127.0.0.1", app.port), PATIENCE) as slow:
            slow.sendall(head)
            assert b" 408 " in slow.makefile("rb").readline()
        assert app.last(app.start("upscale", png(20, 10)))["state"] == "done"
    assert "Traceback" not in (tmp_path / "app.log").read_text()


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("kind=upscale", 422),
        ("kind=upscale&photo=nobody", 404),
        ("kind=nothing&photo={photo}", 422),
        ("kind=stylize&photo={photo}", 422),
        ("kind=upscale&photo={photo}&style={photo}", 422),
    ],
)
def test_a_job_that_cannot_be_is_refused(app: App, query: str, status: int) -> None:
    assert app.send("POST", f"/jobs?{query.format(photo=app.upload(png(20, 20)))}").status == status


@pytest.mark.parametrize(
    "path", ["/../web.py", "/%2e%2e/web.py", "/..%2fweb.py", "/jobs/..%2f..%2fweb.py/result", "//etc/passwd"]
)
def test_no_path_leads_out_of_the_page(app: App, path: str) -> None:
    with socket.create_connection(("127.0.0.1", app.port), PATIENCE) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = connection.makefile("rb").read()
    assert b" 404 " in answer.splitlines()[0]


def test_nobody_can_list_what_others_have(app: App) -> None:
    app.upload(png(20, 20))
    for path in ("/jobs", "/jobs/", "/pictures", "/jobs/x/events", "/openapi.json", "/docs"):
        assert app.send("GET", path).status == 404


def test_every_model_that_is_served_is_offered_and_does_its_work(
    committed_models: Path,
    dream_repository: Path,
    stylize_repository: Path,
    transfer_repository: Path,
    server_kind: str,
    tmp_path: Path,
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    for repository in (committed_models, dream_repository, stylize_repository, transfer_repository):
        for model in filter(Path.is_dir, repository.iterdir()):
            (models / model.name).symlink_to(model.resolve())
    # Not warmed up: that would build what no job here calls.
    cold = serving(server_kind, models, enable_model_warmup="false")
    with cold as server, running(server.address, tmp_path) as app:
        kinds = app.send("GET", "/offer").json["kinds"]
        assert kinds == ["upscale", "stylize", "dream", "transfer"]
        for kind, size in (("upscale", (48, 64)), ("stylize", (24, 32))):
            job = app.start(kind, png(32, 24), *([png(30, 30)] if kind == "stylize" else []))
            assert app.last(job)["state"] == "done"
            made = read_picture(app.send("GET", f"/jobs/{job}/result").body).rgb
            assert made.shape == (*size, 3)
        for kind in ("dream", "transfer"):  # hundreds of steps: until the first are done
            job = app.start(kind, png(32, 24), *([png(30, 30)] if kind == "transfer" else []))
            events = app.events(job)
            assert next(news for news in events if news["done"])["state"] == "running"
            app.send("DELETE", f"/jobs/{job}")
            assert list(events)[-1]["state"] == "cancelled"


def test_a_photo_too_small_for_a_model_fails_with_words_of_the_photo(
    stylize_server: ModelServer, tmp_path: Path
) -> None:
    with running(stylize_server.address, tmp_path) as app:
        last = app.last(app.start("stylize", png(8, 8), png(50, 50)))
    assert last["state"] == "failed" and "must be at least 16" in last["message"]


def test_a_cancelled_job_ends_and_makes_room(committed_server: ModelServer, tmp_path: Path) -> None:
    with running(committed_server.address, tmp_path, "--running", "1", "--queued", "1") as app:
        first, second = app.start("upscale", MANY_TILES), app.start("upscale", MANY_TILES)
        refusal = app.send("POST", f"/jobs?kind=upscale&photo={app.upload(png(20, 10))}")
        assert refusal.status == 503 and int(refusal.headers["Retry-After"]) > 0
        assert app.send("GET", f"/jobs/{first}/result").status == 409
        events = app.events(first)
        assert next(news for news in events if news["done"])["state"] == "running"
        assert next(app.events(second))["state"] == "queued"
        assert app.send("DELETE", f"/jobs/{first}").status == 204
        last = list(events)[-1]
        assert last["state"] == "cancelled" and last["done"] < last["total"]
        assert next(news for news in app.events(second) if news["done"])["state"] == "running"
        assert app.send("DELETE", f"/jobs/{second}").status == 204
        assert app.last(app.start("upscale", png(20, 10)))["state"] == "done"
        assert len(app.files) == 1


def test_a_job_outlasts_a_model_server_that_is_killed_and_started_again(
    committed_models: Path, tmp_path: Path
) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "srcnn").symlink_to(committed_models / "srcnn")
    with server_process(tmp_path / "models") as server, running(server.address, tmp_path) as app:
        states = []
        for news in app.events(app.start("upscale", MANY_TILES)):
            states.append(news["state"])
            if news["done"] and "waiting" not in states and server.is_running:
                server.kill()
            if news["state"] == "waiting" and not server.is_running:
                assert app.send("GET", "/offer").status == 503
                server.start()
        assert states[-1] == "done" and "running" in states[states.index("waiting") :]


def test_a_model_server_that_is_away_is_not_named_to_strangers(tmp_path: Path) -> None:
    away = free_port()
    with running(f"127.0.0.1:{away}", tmp_path) as app:
        offer = app.send("GET", "/offer")
        last = app.last(app.start("upscale", png(20, 10)))
    assert offer.status == 503 and last["state"] == "failed"
    for words in (offer.json["detail"], last["message"]):
        assert "does not answer" in words and str(away) not in words
    assert str(away) in (tmp_path / "app.log").read_text()


def test_results_and_pictures_are_deleted_after_a_while(
    committed_server: ModelServer, tmp_path: Path
) -> None:
    with running(committed_server.address, tmp_path, "--keep-minutes", "0.02") as app:
        photo = app.upload(png(20, 10))
        job = str(app.send("POST", f"/jobs?kind=upscale&photo={photo}").json["job"])
        wait_until(lambda: app.send("GET", f"/jobs/{job}/result").status == 404)
        assert app.send("POST", f"/jobs?kind=upscale&photo={photo}").status == 404
        wait_until(lambda: not app.files)


def test_it_keeps_no_more_pictures_and_results_than_its_limits(
    committed_server: ModelServer, tmp_path: Path
) -> None:
    with running(committed_server.address, tmp_path, "--pictures", "1", "--results", "1") as app:
        photo = app.upload(png(20, 10))
        assert app.send("POST", "/pictures", png(20, 10)).status == 503
        job = str(app.send("POST", f"/jobs?kind=upscale&photo={photo}").json["job"])
        assert app.last(job)["state"] == "done"
        assert app.send("POST", f"/jobs?kind=upscale&photo={photo}").status == 503
        app.send("DELETE", f"/jobs/{job}")
        assert app.send("POST", f"/jobs?kind=upscale&photo={photo}").status == 202


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_at_once_tells_those_who_watch_and_leaves_nothing(
    committed_server: ModelServer, tmp_path: Path, number: signal.Signals
) -> None:
    with running(committed_server.address, tmp_path) as app:
        app.last(app.start("upscale", png(20, 10)))
        assert app.files
        events = app.events(app.start("upscale", MANY_TILES))
        next(news for news in events if news["done"])
        app.process.send_signal(number)
        assert list(events)[-1]["state"] == "cancelled"
        app.process.wait(PATIENCE)
        assert list(app.folder.iterdir()) == []
    log = (tmp_path / "app.log").read_text()
    assert "Application shutdown complete" in log and "Traceback" not in log and "ERROR" not in log


def test_the_page_is_for_phones_keyboards_and_readers_and_takes_nothing_from_outside(app: App) -> None:
    page = app.send("GET", "/")
    text = page.body.decode()
    assert 'name="viewport"' in text and '<html lang="en">' in text
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy and "unsafe" not in policy
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    for field in re.findall(r"<(?:input|select) id=\"(\w+)\"", text):
        assert f'<label for="{field}">' in text
    parts = [text, *(app.send("GET", f"/{name}").body.decode() for name in ("page.js", "page.css"))]
    assert not re.search(r"https?:|\bstyle=\"|\bon\w+=\"|innerHTML", "".join(parts))
    used = set(re.findall(r"\bat\(\"([\w-]+)\"\)", parts[1]))
    assert used <= set(re.findall(r"\bid=\"([\w-]+)\"", text))
