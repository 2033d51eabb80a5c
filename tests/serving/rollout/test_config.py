"""`impasto-serving config`: files that the local server, and TensorFlow Serving, read."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from google.protobuf import text_format
from tensorflow.core.protobuf import config_pb2 as session_pb2
from tensorflow_serving.config import model_server_config_pb2 as config_pb2

from impasto.client import Client, Model, TlsOptions
from impasto.serving import ConfigFile, GrpcOptions, LocalServer, ServerOptions
from impasto.serving.cli import main
from impasto.serving.schema.server_files_pb2 import MonitoringConfig
from servers.certificates import Authority
from servers.configurations import states
from servers.official_stubs import official_client
from toys import toy_models

X = np.zeros(1, np.float32)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`one` with version 1, `two` with versions 1 to 3, a model without versions."""
    root = tmp_path_factory.mktemp("repository")
    toy_models.constant(root, 1, name="one")
    for version in (1, 2, 3):
        toy_models.constant(root, version, name="two")
    (root / "empty").mkdir()
    return root


def write(models: Path, out: Path, *arguments: object) -> Result:
    command = ["config", "--models", models, "--out", out, "--no-load", *arguments]
    return CliRunner().invoke(main, [str(part) for part in command])


def written(models: Path, out: Path, *arguments: object) -> dict[str, Any]:
    """The entries of models.config by name."""
    result = write(models, out, *arguments)
    assert result.exit_code == 0, result.output
    config = text_format.Parse((out / "models.config").read_text(), config_pb2.ModelServerConfig())
    return {model.name: model for model in config.model_config_list.config}


def refused(models: Path, out: Path, *arguments: object) -> str:
    result = write(models, out, *arguments)
    assert result.exit_code == 1, result.output
    assert not (out / "models.config").exists()
    return str(result.output)


def test_by_default_the_newest_version_of_each_model_is_followed(models: Path, tmp_path: Path) -> None:
    found = written(models, tmp_path / "new" / "config")
    assert sorted(found) == ["one", "two"]
    assert found["two"].base_path == "/models/two"
    assert found["two"].model_platform == "tensorflow"
    assert found["two"].model_version_policy.latest.num_versions == 1
    assert not found["two"].version_labels


def test_the_newest_few_are_followed(models: Path, tmp_path: Path) -> None:
    found = written(models, tmp_path, "--latest", 2, "--only", "two", "--base-path", "gs://bucket/models/")
    assert [model.model_version_policy.latest.num_versions for model in found.values()] == [2]
    assert found["two"].base_path == "gs://bucket/models/two"


def test_versions_are_pinned_under_labels(models: Path, tmp_path: Path) -> None:
    found = written(models, tmp_path, "--stable", "two=1", "--canary", "two=3")
    assert list(found["two"].model_version_policy.specific.versions) == [1, 3]
    assert dict(found["two"].version_labels) == {"stable": 1, "canary": 3}
    assert found["one"].model_version_policy.HasField("latest")
    found = written(models, tmp_path, "--canary", "two=3", "--pin", "--force")
    assert dict(found["two"].version_labels) == {"stable": 2, "canary": 3}
    assert dict(found["one"].version_labels) == {"stable": 1}


def test_what_is_written_is_served(models: Path, tmp_path: Path) -> None:
    written(models, tmp_path, "--stable", "two=1", "--canary", "two=3", "--base-path", models)
    source = ConfigFile(tmp_path / "models.config")
    with (
        LocalServer(
            source, options=ServerOptions(allow_version_labels_for_unavailable_models=True)
        ) as server,
        official_client(server.address) as client,
        Client(server.address) as impasto,
    ):
        assert states(client, "two") == {1: "AVAILABLE", 3: "AVAILABLE"}
        assert impasto.predict(Model("two", label="stable"), {"x": X})["y"] == [1]
        assert impasto.predict(Model("two", label="canary"), {"x": X})["y"] == [3]


def test_the_files_beside_the_models_are_text_protos_that_every_server_may_read(
    models: Path, tmp_path: Path
) -> None:
    written(models, tmp_path)
    parsed = {
        name: text_format.Parse((tmp_path / name).read_text(), message)
        for name, message in {
            "monitoring.config": MonitoringConfig(),
            "session.config": session_pb2.ConfigProto(),
        }.items()
    }
    assert parsed["monitoring.config"].prometheus_config.enable
    assert parsed["monitoring.config"].prometheus_config.path == "/monitoring/prometheus/metrics"
    assert parsed["session.config"].gpu_options.allow_growth
    for file in tmp_path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert {file.name for file in tmp_path.iterdir()} == {*parsed, "models.config", ".models.config.lock"}


def test_an_ssl_config_from_pem_files_makes_a_server_with_mtls(models: Path, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ca")
    certificate, key = authority.issue("127.0.0.1")
    out = tmp_path / "out"
    tls = ["--tls-cert", certificate, "--tls-key", key, "--tls-client-ca", authority.certificate]
    written(models, out, *tls, "--base-path", models)
    assert stat.S_IMODE((out / "ssl.config").stat().st_mode) == 0o600
    options = GrpcOptions(ssl_config_file=out / "ssl.config")
    with LocalServer(ConfigFile(out / "models.config"), grpc_options=options) as server:
        with Client(server.address, tls=authority.client()) as client:
            assert client.predict("one", {"x": X})["y"] == [1]
        with (
            Client(server.address, tls=TlsOptions(ca=authority.certificate)) as client,
            pytest.raises(ConnectionError, match="wants a client certificate"),
        ):
            client.status("one")


def test_who_may_read_the_key_is_said_as_it_is(models: Path, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ca")
    certificate, key = authority.issue("127.0.0.1")
    for path in (certificate, key):  # names in front of a key are in any encoding
        path.write_bytes("friendlyName: Schlüssel\n".encode("latin-1") + path.read_bytes())
    out = tmp_path / "out"
    arguments: tuple[Any, ...] = (models, out, "--tls-cert", certificate, "--tls-key", key)
    assert "only user" in write(*arguments).output
    (out / "ssl.config").chmod(0o640)
    said = write(*arguments).output
    assert "keeps the mode 640 that it had: others may read it. To keep them out: chmod 600" in said
    assert stat.S_IMODE((out / "ssl.config").stat().st_mode) == 0o640


def test_pem_files_that_do_not_go_together_are_refused(models: Path, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ca")
    certificate, _ = authority.issue("a.example")
    _, key = authority.issue("b.example")
    out = tmp_path / "out"
    assert "cannot be used together" in refused(models, out, "--tls-cert", certificate, "--tls-key", key)
    assert "needs both --tls-cert and --tls-key" in refused(models, out, "--tls-cert", certificate)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--stable", "two=9"], "two has no version 9; it has 1, 2, 3"),
        (["--stable", "three=1"], "there is no model three with a version; there are one, two"),
        (["--canary", "one=1"], "one has no version beside the canary, 1, that could be stable"),
        (["--only", "three"], "has no model 'three'"),
    ],
)
def test_what_is_not_in_the_repository_is_named(
    models: Path, tmp_path: Path, arguments: list[str], words: str
) -> None:
    assert words in refused(models, tmp_path, *arguments)


@pytest.mark.parametrize("value", ["two", "two=", "=1", "two=latest", "two=-1"])
def test_a_pin_that_is_not_model_and_version_is_a_usage_error(
    models: Path, tmp_path: Path, value: str
) -> None:
    result = write(models, tmp_path, "--stable", value)
    assert result.exit_code == 2
    assert "is not MODEL=VERSION" in result.output


def test_labels_are_replaced_by_force_only(models: Path, tmp_path: Path) -> None:
    written(models, tmp_path, "--stable", "two=1")
    written(models, tmp_path, "--stable", "two=1")
    result = write(models, tmp_path, "--stable", "two=2")
    assert result.exit_code == 1
    assert "has labels, which this would lose" in result.output
    assert dict(written(models, tmp_path, "--stable", "two=2", "--force")["two"].version_labels) == {
        "stable": 2
    }


def test_a_folder_that_cannot_be_written_is_named(models: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    result = write(models, tmp_path / "out")
    assert result.exit_code == 1
    assert f"out: {tmp_path / 'out'} cannot be made: File exists" in result.output


def test_folders_are_readable_by_the_servers_user_whatever_the_umask(models: Path, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        written(models, tmp_path / "new" / "config")
    finally:
        os.umask(before)
    for path in (tmp_path / "new", tmp_path / "new/config", tmp_path / "new/config/models.config"):
        assert path.stat().st_mode & 0o044 == 0o044, path
    assert (tmp_path / "new/config").stat().st_mode & 0o011 == 0o011


def test_a_folder_that_was_there_keeps_its_mode(models: Path, tmp_path: Path) -> None:
    folder = tmp_path / "config"
    folder.mkdir(mode=0o700)
    written(models, folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_with_a_key_it_is_said_who_must_be_able_to_read_it(models: Path, tmp_path: Path) -> None:
    certificate, key = Authority(tmp_path, "ca").issue("127.0.0.1")
    said = write(models, tmp_path / "out", "--tls-cert", certificate, "--tls-key", key).output
    path = tmp_path / "out/ssl.config"
    assert f"{path} holds the key: only user {os.getuid()} may read it" in said
    assert f"IMPASTO_UID={os.getuid()}" in said
    assert f"chown 65532 {path}" in said
    assert "may read it" not in write(models, tmp_path / "plain").output
