"""The server's text files are read as editors save them, by the local server, by rollouts and by the real server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tensorflow_serving.config import model_server_config_pb2 as config_pb2

from impasto.client import Client
from impasto.serving.errors import ConfigError
from impasto.serving.rollout.files import EditedConfig
from impasto.serving.text_files import parse_text
from servers.model_servers import list_models, serving

SAVED = {
    "with a mark": lambda text: text.encode("utf-8-sig"),
    "with CRLF": lambda text: text.replace("\n", "\r\n").encode(),
    "with both": lambda text: text.replace("\n", "\r\n").encode("utf-8-sig"),
}


@pytest.mark.parametrize("saved", SAVED)
def test_a_models_config_is_served_as_it_was_saved(
    toy_repository: Path, tmp_path: Path, server_kind: str, saved: str
) -> None:
    config = list_models(toy_repository, tmp_path / "models.config", ["half"])
    config.write_bytes(SAVED[saved]("# Größe\n" + config.read_text()))
    with serving(server_kind, config) as server, Client(server.address) as client:
        client.wait_ready(models=["half"])


@pytest.mark.parametrize("saved", SAVED)
def test_a_rollout_reads_a_models_config_as_it_was_saved(
    toy_repository: Path, tmp_path: Path, saved: str
) -> None:
    config = list_models(toy_repository, tmp_path / "models.config", ["half"])
    config.write_bytes(SAVED[saved](config.read_text()))
    file = EditedConfig(config)
    assert [model.name for model in file.config.model_config_list.config] == ["half"]
    file.write(file.config)  # which compares the file with what was read
    assert config.read_bytes().startswith(b"#")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "latin-1"])
def test_a_text_file_in_another_encoding_is_named(encoding: str) -> None:
    content = "# Größe\nmodel_config_list {}\n".encode(encoding)
    message = r"it is (UTF-16 or|not UTF-8).*; save it as UTF-8.*" + re.escape("'a/models.config'")
    with pytest.raises(ConfigError, match=message):
        parse_text(content, config_pb2.ModelServerConfig(), where=Path("a/models.config"))
