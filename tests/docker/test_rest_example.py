"""The REST call of docs/rest.md, made to a real TensorFlow Serving that was started as that page says."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from containers.compose_files import DOCKER
from impasto.client import Client
from processes.command_line import free_port

PAGE = (DOCKER.parent / "docs/rest.md").read_text().replace("\\\n", " ")

pytestmark = pytest.mark.skipif(
    "IMPASTO_TFS" not in os.environ,
    reason="IMPASTO_TFS, the command that starts a tensorflow_model_server, is not set",
)


def documented_flags() -> list[str]:
    """What the page adds to the command line of the official image."""
    (flags,) = re.findall(r"^docker run .* tensorflow/serving:\S+ +(--.*)$", PAGE, re.MULTILINE)
    return shlex.split(flags)


def documented_call() -> tuple[str, bytes]:
    """The path and the body of the page's call."""
    (found,) = re.findall(r"^curl -s http://localhost:8501(\S+) -d '(.*)'$", PAGE, re.MULTILINE)
    path, body = found
    return path, body.encode()


@contextlib.contextmanager
def served(model: Path, grpc: int, rest: int, log: Path) -> Iterator[None]:
    """The server as the official image starts it, with the page's flags, until it answers on its REST port."""
    image = [f"--port={grpc}", f"--rest_api_port={rest}", f"--model_name={model.name}"]
    command = [*shlex.split(os.environ["IMPASTO_TFS"]), *image, f"--model_base_path={model}"]
    with log.open("wb") as file:
        process = subprocess.Popen([*command, *documented_flags()], stdout=file, stderr=file)
    try:
        while True:
            assert process.poll() is None, log.read_text()
            with contextlib.suppress(urllib.error.URLError):
                urllib.request.urlopen(f"http://127.0.0.1:{rest}/v1/models/{model.name}").close()
                break
            time.sleep(0.2)
        yield
    finally:
        process.kill()
        process.wait()


def test_the_pages_call_is_answered_with_what_grpc_answers(committed_models: Path, tmp_path: Path) -> None:
    grpc, rest = free_port(), free_port()
    path, body = documented_call()
    picture = np.array(json.loads(body)["inputs"]["image"], np.uint8)
    with served(committed_models.resolve() / "srcnn", grpc, rest, tmp_path / "log"):
        with urllib.request.urlopen(f"http://127.0.0.1:{rest}{path}", data=body) as answered:
            outputs = json.load(answered)["outputs"]
        with Client(f"127.0.0.1:{grpc}") as client:
            expected = client.predict("srcnn", {"image": picture})["image"]
    assert np.array_equal(outputs, expected)
