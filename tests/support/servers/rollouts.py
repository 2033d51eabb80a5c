"""Rollouts for tests: a configuration, servers over it, and `impasto-serving` as a call or as a process."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2 as config_pb2

from impasto.client.repository.manifest import Manifest
from impasto.export.repository import ModelRepository
from impasto.serving.cli import main
from servers.configurations import states
from servers.model_servers import ModelServer
from servers.official_stubs import official_client
from servers.serving_processes import COMMAND


def publish(root: Path, content: Path, name: str = "m") -> Path:
    """Publish the SavedModel in `content` as the next version of a model, with its manifest."""
    return ModelRepository(root).publish(name, content, manifest=Manifest(model=name)).path


def command(word: str, *words: object, file: Path, server: ModelServer) -> list[str]:
    """The arguments of a rollout command."""
    return [word, *map(str, words), "--config", str(file), "--server", server.address]


def invoke(word: str, *words: object, file: Path, server: ModelServer) -> Result:
    """Run a rollout command in this process."""
    return CliRunner().invoke(main, command(word, *words, file=file, server=server))


@contextlib.contextmanager
def started(word: str, *words: object, file: Path, server: ModelServer) -> Iterator[subprocess.Popen[str]]:
    """A rollout command as a process, which is killed if it has not ended with the block."""
    process = subprocess.Popen(
        [*COMMAND, *command(word, *words, file=file, server=server)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def entry(file: Path, name: str = "m") -> Any:
    """A model's entry in a configuration file."""
    config = text_format.Parse(file.read_text(), config_pb2.ModelServerConfig())
    (found,) = (model for model in config.model_config_list.config if model.name == name)
    return found


def labels(file: Path, name: str = "m") -> dict[str, int]:
    """A model's labels in a configuration file."""
    return dict(entry(file, name).version_labels)


def states_on(server: ModelServer, name: str = "m") -> dict[int, str]:
    """The state of each version of a model on a server."""
    with official_client(server.address) as client:
        return states(client, name)
