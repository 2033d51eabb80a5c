"""The health check of the images, run by bash against an HTTP server that answers as TensorFlow Serving does."""

from __future__ import annotations

import http.server
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from containers.compose_files import DOCKER
from processes.installed_tools import run_tool

SCRIPT = DOCKER / "serving/health.sh"

AVAILABLE = """{
 "model_version_status": [
  {
   "version": "1",
   "state": "AVAILABLE",
   "status": {
    "error_code": "OK",
    "error_message": ""
   }
  }
 ]
}
"""


class Rest(http.server.BaseHTTPRequestHandler):
    answers: dict[str, tuple[int, str]] = {}

    def do_GET(self) -> None:
        missing = (404, '{\n "error": "Could not find any versions of model"\n}\n')
        status, body = self.answers.get(self.path, missing)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Quiet: what is asked for is in the answers."""


@pytest.fixture
def port() -> Iterator[int]:
    """The port of a REST server with srcnn available and dream still loading."""
    Rest.answers = {
        "/v1/models/srcnn": (200, AVAILABLE),
        "/v1/models/dream": (200, AVAILABLE.replace("AVAILABLE", "LOADING")),
    }
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Rest) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def check(tmp_path: Path, text: str, port: int) -> subprocess.CompletedProcess[str]:
    config = tmp_path / "models.config"
    config.write_text(text)
    command = ["bash", str(SCRIPT), str(config), str(port)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def listing(*models: str) -> str:
    entries = "".join(f'config {{ name: "{name}" base_path: "/models/{name}" }}\n' for name in models)
    return f"model_config_list {{\n{entries}}}\n"


def test_a_server_with_every_model_available_is_healthy(tmp_path: Path, port: int) -> None:
    checked = check(tmp_path, listing("srcnn"), port)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_a_model_without_an_available_version_is_named(tmp_path: Path, port: int) -> None:
    checked = check(tmp_path, listing("srcnn", "dream"), port)
    assert checked.returncode == 1
    assert "dream has no available version" in checked.stderr


def test_a_model_that_the_server_does_not_know_is_named_with_its_answer(tmp_path: Path, port: int) -> None:
    checked = check(tmp_path, listing("transfer", "srcnn"), port)
    assert checked.returncode == 1
    assert "transfer has no available version" in checked.stderr
    assert "Could not find any versions" in checked.stderr


def test_a_server_that_does_not_listen_is_unhealthy(tmp_path: Path, port: int) -> None:
    import socket

    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert check(tmp_path, listing("srcnn"), unused.getsockname()[1]).returncode != 0


def test_a_configuration_without_models_is_unhealthy(tmp_path: Path, port: int) -> None:
    checked = check(tmp_path, "model_config_list {}\n", port)
    assert checked.returncode == 1
    assert "names no model" in checked.stderr


def test_a_configuration_as_protobuf_prints_it_is_read(tmp_path: Path, port: int) -> None:
    from google.protobuf import text_format
    from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

    config = ModelServerConfig()
    for name in ("srcnn", "dream"):
        model = config.model_config_list.config.add(name=name, base_path=f"/models/{name}")
        model.version_labels["stable"] = 1
    for one_line in (False, True):
        checked = check(tmp_path, text_format.MessageToString(config, as_one_line=one_line), port)
        assert checked.stderr.startswith("dream has no available version")


def test_shellcheck_finds_nothing() -> None:
    checked = run_tool("shellcheck", SCRIPT)
    assert checked.returncode == 0, checked.stdout
