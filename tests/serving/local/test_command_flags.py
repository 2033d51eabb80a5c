"""The flags of `impasto-serving local` that are tensorflow_model_server's, as a person gives them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import grpc
import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from grpc_health.v1 import health_pb2, health_pb2_grpc

from impasto.client import Client, Model, TlsOptions
from impasto.serving import AddressError, ConfigError, ConfigFile, GrpcOptions, LocalServer
from impasto.serving.cli import local, main
from impasto.serving.local.flags import IGNORED
from servers.certificates import Authority
from servers.configurations import model, wait_for, write_configuration
from servers.official_stubs import TIMEOUT, official_client
from servers.serving_processes import failing, forked
from toys import toy_models

REPOSITORY = Path(__file__).resolve().parents[3]
X = np.zeros(1, np.float32)


def test_a_command_line_of_tensorflow_model_server_works(toy_repository: Path, tmp_path: Path) -> None:
    """That of docker/compose.yaml, with a socket, labels and mTLS."""
    authority = Authority(tmp_path, "ca")
    ssl_config = authority.ssl_config("127.0.0.1", client_ca=authority.certificate)
    labelled = model(toy_repository, "constant", versions=[1, 10], labels={"stable": 1})
    file = write_configuration(tmp_path / "models.config", labelled)
    flags = [
        f"--model_config_file={file}",
        "--model_config_file_poll_wait_seconds=1",
        "--allow_version_labels_for_unavailable_models=true",
        "--file_system_poll_wait_seconds=1",
        "--enable_batching=true",
        "--enable_per_model_batching_parameters",
        "--rest_api_port=8501",
        "--monitoring_config_file=/config/monitoring.config",
        "--enable_grpc_healthcheck_service=true",
        "--grpc_max_threads=8",
        "--grpc_channel_arguments=grpc.max_connection_age_ms=30000,grpc.http2.min_ping_interval_without_data_ms=30000",
        f"--grpc_socket_path={tmp_path / 'socket'}",
        f"--ssl_config_file={ssl_config}",
    ]
    named = TlsOptions(**{**vars(authority.client()), "server_name": "127.0.0.1"})
    with forked(*flags, log=tmp_path / "log") as process:
        with Client(process.address, tls=named) as client:
            assert client.predict(Model("constant", label="stable"), {"x": X})["y"] == [1]
            write_configuration(file, model(toy_repository, "constant", versions=[10], labels={"stable": 10}))
            wait_for(
                lambda: client.predict(Model("constant", label="stable"), {"x": X})["y"] == [10],
                "the file should be followed",
            )
        with Client(f"unix:{tmp_path / 'socket'}", tls=named) as client:
            assert client.predict("constant", {"x": X})["y"] == [10]
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait() == 0
    assert [line for line in process.output.splitlines() if line.startswith("--")] == [
        f"--{name} is ignored: {IGNORED[name].reason}."
        for name in (
            "enable_batching",
            "enable_per_model_batching_parameters",
            "rest_api_port",
            "monitoring_config_file",
        )
    ]


def test_every_flag_of_the_containers_is_known() -> None:
    compose = yaml.safe_load((REPOSITORY / "docker" / "compose.yaml").read_text())
    flags = {flag.partition("=")[0] for flag in compose["services"]["serving"]["command"]}
    assert "--model_config_file" in flags
    assert flags <= {name for parameter in local.params for name in parameter.opts}


def test_one_model_and_a_new_version_of_it(tmp_path: Path) -> None:
    toy_models.constant(tmp_path, 1)
    flags = [f"--model_base_path={tmp_path / 'constant'}", "--ssl_config_file=", "--model_config_file="]
    with forked(*flags, log=tmp_path / "log") as process, Client(process.address) as client:
        assert "default  version 1" in process.output.splitlines()
        toy_models.constant(tmp_path, 2)
        wait_for(lambda: client.predict("default", {"x": X})["y"] == [2], "version 2 should be found")


def test_a_configuration_that_cannot_be_read_exits_255(tmp_path: Path) -> None:
    file = tmp_path / "models.config"
    file.write_text("model_config_list {")
    code, err = failing("local", "--port", "0", f"--model_config_file={file}")
    assert code == 255
    assert err.startswith("Error parsing text-format tensorflow.serving.ModelServerConfig: ")
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"model_config_lists {}", "Error parsing text-format tensorflow.serving.ModelServerConfig: "),
        (b"\xff", "Error parsing text-format tensorflow.serving.ModelServerConfig: "),
        (b"custom_model_config {}", "does not yet support custom model config"),
        (None, "models.config cannot be read: No such file or directory"),
        (
            b'model_config_list { config { name: "m" base_path: "m" model_platform: "tensorflow" } }',
            "Failed to start server. Error: INVALID_ARGUMENT: "
            "Expected model m to have an absolute path or URI; got base_path()=m",
        ),
    ],
    ids=["unknown field", "no text", "custom", "absent", "relative path"],
)
def test_what_is_wrong_with_a_configuration_is_said_before_anything_is_loaded(
    tmp_path: Path, text: bytes | None, words: str
) -> None:
    file = tmp_path / "models.config"
    if text is not None:
        file.write_bytes(text)
    with pytest.raises(ConfigError) as caught:
        LocalServer(ConfigFile(file)).start()
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--model_base_path=/m", "--only=x"], "--only chooses from --models"),
        (["--grpc_channel_arguments=grpc.max_connection_age_ms"], "is not name=value"),
        (["--file_system_poll_wait_seconds=soon"], "'soon' is not a whole number"),
        (["--file_system_poll_wait_seconds=0.5"], "'0.5' is not a whole number"),
        (["--grpc_max_threads=0"], "0 is not in the range"),
        (["--enable_grpc_healthcheck_service=maybe"], "'maybe' is not true or false"),
    ],
)
def test_a_flag_that_makes_no_sense_is_a_usage_error(flags: list[str], words: str) -> None:
    result = CliRunner().invoke(main, ["local", *flags])
    assert result.exit_code == 2
    assert words in result.output


def test_the_health_service_can_be_left_out(toy_repository: Path) -> None:
    options = GrpcOptions(health_service=False)
    with (
        LocalServer(toy_repository, only=["half"], grpc_options=options) as server,
        official_client(server.address) as client,
        pytest.raises(grpc.RpcError) as caught,
    ):
        health_pb2_grpc.HealthStub(client.channel).Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_socket_that_cannot_be_made_is_named(toy_repository: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "absent" / "socket", tmp_path / ("x" * 120)):
        server = LocalServer(toy_repository, only=["half"], grpc_options=GrpcOptions(socket_path=path))
        with pytest.raises(
            AddressError, match=r"cannot listen on the socket .* Give a path of at most 107 bytes"
        ):
            server.start()


def test_settings_of_grpc_reach_the_server(toy_repository: Path) -> None:
    """A connection older than the limit ends, and the next call makes another."""
    options = GrpcOptions(channel_arguments={"grpc.max_connection_age_ms": 100})
    with (
        LocalServer(toy_repository, only=["half"], grpc_options=options) as server,
        official_client(server.address) as client,
    ):
        seen: list[grpc.ChannelConnectivity] = []
        client.channel.subscribe(seen.append, try_to_connect=True)
        wait_for(lambda: grpc.ChannelConnectivity.IDLE in seen[2:], "the server should end the connection")
        assert client.predict("half", {"x": X}).model_spec.version.value == 1
