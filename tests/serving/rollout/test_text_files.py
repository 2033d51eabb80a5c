"""Text files of the server, as editors save them: what the real server refuses, the local one and rollouts refuse."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tensorflow_serving.config import model_server_config_pb2 as config_pb2

from impasto.client import Client
from impasto.serving.errors import ConfigError
from impasto.serving.rollout.files import EditedConfig
from impasto.serving.text_files import parse_text
from servers.model_servers import list_models, serving, start_failure


def test_a_models_config_with_crlf_is_served(toy_repository: Path, tmp_path: Path, server_kind: str) -> None:
    config = list_models(toy_repository, tmp_path / "models.config", ["half"])
    config.write_bytes(("# Größe\n" + config.read_text()).replace("\n", "\r\n").encode())
    with serving(server_kind, config) as server, Client(server.address) as client:
        client.wait_ready(models=["half"])
    assert [model.name for model in EditedConfig(config).config.model_config_list.config] == ["half"]


def test_a_models_config_with_a_byte_order_mark_is_refused_by_both_servers_and_by_rollouts(
    toy_repository: Path, tmp_path: Path, server_kind: str
) -> None:
    """What the local server took would not start in production."""
    config = list_models(toy_repository, tmp_path / "models.config", ["half"])
    config.write_bytes(config.read_text().encode("utf-8-sig"))
    said = start_failure(server_kind, config)
    assert "Error parsing text-format tensorflow.serving.ModelServerConfig: 1:1: " in said
    assert f"Invalid protobuf file: '{config}'" in said
    with pytest.raises(ConfigError, match=r"byte order mark.*; save it as UTF-8 without"):
        EditedConfig(config)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "latin-1"])
def test_a_text_file_in_another_encoding_is_named(encoding: str) -> None:
    content = "# Größe\nmodel_config_list {}\n".encode(encoding)
    message = r"it is (UTF-16 or|not UTF-8).*; save it as UTF-8.*" + re.escape("'a/models.config'")
    with pytest.raises(ConfigError, match=message):
        parse_text(content, config_pb2.ModelServerConfig(), where=Path("a/models.config"))
