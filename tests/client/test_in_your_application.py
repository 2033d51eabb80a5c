"""The examples of docs/in-your-application.md, run as they stand there by the programs that the page names."""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from documents.code_blocks import DOCS, files_of
from impasto.client import read_picture
from servers.model_servers import ModelServer, free_port

LOCAL_SERVER_ONLY = "the examples are about the programs around a client, not about its server"

PAGE = "in-your-application.md"
FILES = files_of(PAGE)
PATIENCE = 240
"""Seconds for what hangs."""


def needs(package: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        importlib.util.find_spec(package) is None, reason=f"{package} is not installed: the group dev has it"
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the page's files and two pictures of 20 x 10 pixels, which become 40 x 20."""
    for name, code in FILES.items():
        (tmp_path / name).write_text(code, encoding="utf-8")
    for name in ("one.png", "other.png"):
        Image.new("RGB", (20, 10), "teal").save(tmp_path / name)
    return tmp_path


@pytest.fixture
def environment(committed_server: ModelServer) -> dict[str, str]:
    return {**os.environ, "IMPASTO_SERVER": committed_server.address, "IMPASTO_CLIENT_CONFIG": os.devnull}


def run(folder: Path, environment: dict[str, str], *words: str) -> str:
    ended = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@contextmanager
def running(folder: Path, environment: dict[str, str], *words: str) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "program.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *words], cwd=folder, env=environment, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE)


def posted(folder: Path, process: subprocess.Popen[bytes], url: str, body: bytes) -> tuple[int, bytes]:
    """The status and the body of the answer, as soon as the program listens."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body), timeout=PATIENCE) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read()
        except urllib.error.URLError:
            log = (folder / "program.log").read_text(errors="replace")
            assert process.poll() is None and time.monotonic() < end, log
            time.sleep(0.1)


def web_server_answers(folder: Path, process: subprocess.Popen[bytes], url: str) -> None:
    picture = (folder / "one.png").read_bytes()
    for _ in range(8):  # so that more than one worker has its turn
        status, answer = posted(folder, process, url, picture)
        assert status == 200, answer
        assert read_picture(answer).rgb.shape == (20, 40, 3)
    status, answer = posted(folder, process, url, b"no picture")
    assert status == 422 and b"not an image" in answer


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("in_threads.py", "(40, 20)\n(40, 20)\n"),
        ("in_asyncio.py", "(40, 20) (40, 20)\n"),
        ("in_processes.py", "[(40, 20), (40, 20)]\n" * 2),
    ],
)
def test_a_script_does_what_the_page_says(
    folder: Path, environment: dict[str, str], name: str, said: str
) -> None:
    assert run(folder, environment, name) == said


def test_a_notebook_does_what_the_page_says(
    folder: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A notebook runs a cell with `await` in it so, in the event loop that it has."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("IMPASTO_SERVER", environment["IMPASTO_SERVER"])
    names: dict[str, Any] = {}
    cell = compile(FILES["in_a_notebook.py"], "cell", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)

    async def notebook() -> None:
        await eval(cell, names)
        names["client"].close()
        await names["other"].close()

    asyncio.run(notebook())
    assert names["large"].size == names["several"][0].size == (40, 20)
    assert names["larger"].size == (80, 40)


@needs("fastapi")
@needs("uvicorn")
def test_fastapi_answers_from_each_worker(folder: Path, environment: dict[str, str]) -> None:
    port = str(free_port())
    words = ("-m", "uvicorn", "in_fastapi:app", "--workers", "2", "--port", port)
    with running(folder, environment, *words) as process:
        web_server_answers(folder, process, f"http://127.0.0.1:{port}/upscale")


@needs("gunicorn")
@pytest.mark.parametrize(
    "options", [(), ("--preload",), ("--config", "gunicorn.conf.py", "--preload")], ids=repr
)
def test_gunicorn_answers_from_each_worker(
    folder: Path, environment: dict[str, str], options: tuple[str, ...]
) -> None:
    port = free_port()
    if "--config" not in options:
        (folder / "gunicorn.conf.py").unlink()
    words = ("-m", "gunicorn", "--workers", "3", "--threads", "2", "--bind", f"127.0.0.1:{port}", *options)
    with running(folder, environment, *words, "in_gunicorn:app") as process:
        web_server_answers(folder, process, f"http://127.0.0.1:{port}/")


@needs("celery")
def test_celery_works_in_its_processes(folder: Path, environment: dict[str, str]) -> None:
    (folder / "queue").mkdir()
    (folder / "brokered.py").write_text(
        "import sys\n"
        "from in_celery import app, upscale\n"
        "app.conf.broker_transport_options = {'data_folder_in': 'queue', 'data_folder_out': 'queue'}\n"
        "if sys.argv[1:] == ['send']:\n"
        "    for number in range(6):\n"
        "        upscale.delay('one.png', f'large-{number}.png')\n"
        "else:\n"
        "    app.worker_main(['worker', '--pool=prefork', '--concurrency=2', '--loglevel=INFO'])\n"
    )
    environment = {**environment, "CELERY_BROKER_URL": "filesystem://"}
    run(folder, environment, "brokered.py", "send")
    end, log = time.monotonic() + PATIENCE, ""
    with running(folder, environment, "brokered.py") as process:
        while log.count(" succeeded in ") < 6:
            assert process.poll() is None and time.monotonic() < end, log
            time.sleep(0.1)
            log = (folder / "program.log").read_text(errors="replace")
    assert {read_picture(folder / f"large-{number}.png").rgb.shape for number in range(6)} == {(20, 40, 3)}


def test_every_example_of_the_page_is_run() -> None:
    run_here = {
        *("in_threads.py", "in_asyncio.py", "in_processes.py", "in_a_notebook.py"),
        *("in_fastapi.py", "in_gunicorn.py", "gunicorn.conf.py", "in_celery.py"),
    }
    assert FILES.keys() == run_here
    assert (DOCS / PAGE).read_text(encoding="utf-8").count("```python") == len(run_here)
