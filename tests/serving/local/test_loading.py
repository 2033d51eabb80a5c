"""Starting and stopping: what is served, and what a person is told when that cannot be."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import grpc
import numpy as np
import pytest

from impasto.serving import (
    AddressError,
    LocalServer,
    LocalServerError,
    ModelLoadError,
    RepositoryError,
    ServerOptions,
)
from servers.official_stubs import official_client, outputs
from toys import toy_models

X = np.array([1, 2], np.float32)


def test_importing_the_package_does_not_import_tensorflow() -> None:
    program = "import sys, impasto.serving, impasto.serving.cli; print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_server_on_port_0_takes_a_free_port_and_says_which(toy_repository: Path) -> None:
    with LocalServer(toy_repository, only=["half"]) as server:
        assert server.port > 0
        assert server.address == f"127.0.0.1:{server.port}"
        assert server.loaded == [("half", 1)]
        with official_client(server.address) as client:
            np.testing.assert_array_equal(outputs(client.predict("half", {"x": X}))["y"], [2.5, 3])


def test_folders_that_are_no_models_or_versions_are_passed_over(tmp_path: Path) -> None:
    toy_models.constant(tmp_path, 3)
    for stray in (".git/1", "constant/.staging-4", "constant/5.tmp", "constant/v6", "notes"):
        (tmp_path / stray).mkdir(parents=True)
    (tmp_path / "README.md").write_text("no model")
    (tmp_path / "constant" / "7").write_text("no folder")
    with LocalServer(tmp_path) as server:
        assert server.loaded == [("constant", 3)]


def test_only_the_models_asked_for_are_served(toy_repository: Path) -> None:
    with LocalServer(toy_repository, only=["half", "add"]) as server:
        assert server.loaded == [("add", 1), ("half", 1)]


def test_an_empty_repository_is_served_and_holds_nothing(tmp_path: Path) -> None:
    with LocalServer(tmp_path) as server, official_client(server.address) as client:
        assert server.loaded == []
        with pytest.raises(grpc.RpcError) as caught:
            client.predict("half", {"x": X})
        assert caught.value.details() == "Servable not found for request: Latest(half)"


def test_models_do_not_share_state(toy_repository: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        toy_models.variable(tmp_path, name=name)
    toy_models.constant(tmp_path, 4, name="one")
    with LocalServer(tmp_path) as server, official_client(server.address) as client:
        assert outputs(client.predict("one", {"x": X}))["y"].tolist() == [4, 4]
        assert outputs(client.predict("two", {"x": np.ones(3, np.float32)}))["y"].tolist() == [1, 2, 3]


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_a_models_folder_that_is_not_there_is_named_with_a_remedy(tmp_path: Path, kind: str) -> None:
    root = tmp_path / "models"
    if kind == "file":
        root.write_text("")
    with pytest.raises(
        RepositoryError, match=r"models: .*models (does not exist|is not a folder)\. Give the"
    ):
        LocalServer(root).start()


def test_a_model_asked_for_that_is_not_there_is_named_beside_those_that_are(toy_repository: Path) -> None:
    with pytest.raises(RepositoryError, match=r"only: .* has no model 'nope'; it has 'add', .*'half'"):
        LocalServer(toy_repository, only=["half", "nope"]).start()


@pytest.mark.parametrize("host", ["\u202ex", "a" * 70, "one..two"])
def test_a_name_that_no_machine_can_have_is_an_error_with_a_remedy(host: str, toy_repository: Path) -> None:
    with pytest.raises(AddressError, match="no machine can have this name"):
        LocalServer(toy_repository, only=["half"], host=host).start()


def test_a_taken_port_is_named_with_the_reason_and_a_remedy(toy_repository: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(AddressError) as caught:
            LocalServer(toy_repository, only=["half"], port=port).start()
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in str(caught.value)
    assert "choose another port" in str(caught.value)


def test_two_servers_do_not_share_a_port(toy_repository: Path) -> None:
    with LocalServer(toy_repository, only=["half"]) as first, pytest.raises(AddressError):
        LocalServer(toy_repository, only=["half"], port=first.port).start()


def test_the_port_is_free_again_after_a_stop(toy_repository: Path) -> None:
    with LocalServer(toy_repository, only=["half"]) as first:
        port = first.port
    with LocalServer(toy_repository, only=["half"], port=port) as second:
        assert second.port == port


def test_a_host_that_is_not_of_this_machine_is_an_address_error(toy_repository: Path) -> None:
    with pytest.raises(AddressError, match=r"cannot listen on 203\.0\.113\.1:"):
        LocalServer(toy_repository, only=["half"], host="203.0.113.1").start()


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_out_of_range_is_named(toy_repository: Path, port: int) -> None:
    with pytest.raises(ValueError, match=rf"^port: {port} "):
        LocalServer(toy_repository, port=port)


def test_options_out_of_range_are_named() -> None:
    with pytest.raises(ValueError, match=r"^grpc_max_threads: 0 "):
        ServerOptions(grpc_max_threads=0)
    with pytest.raises(ValueError, match=r"^file_system_poll_wait_seconds: -1 "):
        ServerOptions(file_system_poll_wait_seconds=-1)


def test_a_server_is_started_once(toy_repository: Path) -> None:
    with (
        LocalServer(toy_repository, only=["half"]) as server,
        pytest.raises(RuntimeError, match="make a new one"),
    ):
        server.start()


def test_stopping_twice_or_before_the_start_does_no_harm(toy_repository: Path) -> None:
    server = LocalServer(toy_repository, only=["half"])
    server.stop()
    server.start()
    server.stop()
    server.stop()
    server.wait()


def _truncate(version: Path) -> None:
    file = version / "saved_model.pb"
    file.write_bytes(file.read_bytes()[:100])


def _scramble(version: Path) -> None:
    (version / "saved_model.pb").write_bytes(b"not a saved model at all")


def _empty(version: Path) -> None:
    (version / "saved_model.pb").write_bytes(b"")


def _lose_model(version: Path) -> None:
    (version / "saved_model.pb").unlink()


def _lose_weights(version: Path) -> None:
    shutil.rmtree(version / "variables")
    (version / "variables").mkdir()


def _cut_weights(version: Path) -> None:
    (file,) = (version / "variables").glob("variables.data-*")
    file.write_bytes(file.read_bytes()[:4])


@pytest.mark.parametrize(
    "damage",
    [_truncate, _scramble, _empty, _lose_model, _lose_weights, _cut_weights],
    ids=lambda damage: damage.__name__.strip("_"),
)
def test_a_corrupt_model_is_named_with_its_directory_the_reason_and_a_remedy(
    tmp_path: Path, damage: object
) -> None:
    version = toy_models.variable(tmp_path, 3)
    assert callable(damage)
    damage(version)
    server = LocalServer(tmp_path)
    with pytest.raises(ModelLoadError) as caught:
        server.start()
    message = str(caught.value)
    assert message.startswith(
        "Failed to start server. Error: UNKNOWN: 1 servable(s) did not become available: "
        "{{{name: variable version: 3} due to error: "
    )
    assert f"Remedy: export 'variable' again, or move {version} away" in message
    assert caught.value.failures[0].directory == version
    assert len(caught.value.failures[0].error.message) > 20


def test_every_corrupt_model_is_named_at_once(tmp_path: Path) -> None:
    for name in ("one", "two", "good"):
        toy_models.half_plus_two(tmp_path, name=name)
    for name in ("one", "two"):
        _scramble(tmp_path / name / "1")
    with pytest.raises(ModelLoadError, match=r"2 servable\(s\) did not") as caught:
        LocalServer(tmp_path).start()
    assert [failure.name for failure in caught.value.failures] == ["one", "two"]
    assert isinstance(caught.value, LocalServerError)
