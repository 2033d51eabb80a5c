"""HandleReloadConfigRequest, labels and --model_config_file, by the official stubs: TensorFlow Serving's answers."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent import futures
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from tensorflow_serving.apis import model_management_pb2
from tensorflow_serving.config import model_server_config_pb2 as config_pb2

from both_servers.differences import only_local
from impasto.client import Client, Model
from impasto.client.errors import InvalidInput
from impasto.serving import ConfigError, ConfigFile, LocalServer, ServerOptions
from servers.configurations import (
    QUICK,
    loaded,
    model,
    reload,
    states,
    wait_for,
    wait_for_loaded,
    wait_for_states,
    write_configuration,
)
from servers.model_servers import POLL, ModelServer, serving
from servers.official_stubs import OfficialClient, official_client, outputs
from toys import toy_models

X = np.zeros(1, np.float32)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`one` with version 1, `two` with versions 1, 2 and 3."""
    root = tmp_path_factory.mktemp("models")
    toy_models.constant(root, 1, name="one")
    for version in (1, 2, 3):
        toy_models.constant(root, version, name="two")
    return root


def start(kind: str, root: Path, folder: Path) -> AbstractContextManager[ModelServer]:
    """A server of `one`, and of version 1 of `two`, by a file that is read once."""
    file = folder / "models.config"
    write_configuration(file, *first_entries(root))
    return serving(kind, file, allow_version_labels_for_unavailable_models="false")


def first_entries(root: Path) -> list[Any]:
    return [model(root, "one"), model(root, "two", versions=[1])]


@pytest.fixture(scope="module")
def shared_server(
    root: Path, server_kind: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ModelServer]:
    with start(server_kind, root, tmp_path_factory.mktemp("shared")) as server:
        yield server


@pytest.fixture
def client(root: Path, shared_server: ModelServer) -> Iterator[OfficialClient]:
    """The official stubs, and the first entries in force, whatever the test before has left."""
    with official_client(shared_server.address) as client:
        reload(client)
        # A model that comes back while it is still being unloaded fails TensorFlow Serving's reload.
        wait_for(lambda: loaded(client, "one") == loaded(client, "two") == {}, "no model should be left")
        reload(client, *first_entries(root))
        yield client


@pytest.fixture
def client_of_its_own(root: Path, tmp_path: Path, server_kind: str) -> Iterator[OfficialClient]:
    """The official stubs at a server that may refuse later reloads, or keep them waiting, because of an earlier one."""
    with start(server_kind, root, tmp_path) as server, official_client(server.address) as client:
        yield client


def answer(client: OfficialClient, **spec: Any) -> float:
    return float(outputs(client.predict({"name": "two", **spec}, {"x": X}))["y"][0])


def refused(call: Any, *arguments: Any, **more: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call(*arguments, **more)
    return caught.value.code(), str(caught.value.details())


def test_a_reload_loads_listed_versions_in_the_background(root: Path, client: OfficialClient) -> None:
    response = reload(client, model(root, "one"), model(root, "two", versions=[1, 3]))
    assert response.status.error_code == 0
    wait_for_loaded(client, "two", {1: "AVAILABLE", 3: "AVAILABLE"})
    assert loaded(client, "one") == {1: "AVAILABLE"}
    assert answer(client) == 3


def test_a_reload_returns_when_a_new_model_can_be_called(root: Path, client: OfficialClient) -> None:
    reload(client, model(root, "one"), model(root, "two"))
    new = model(root, "two", versions=[2])
    new.name = "three"
    reload(client, model(root, "one"), model(root, "two"), new)
    assert loaded(client, "three") == {2: "AVAILABLE"}


def test_a_model_that_is_no_longer_listed_is_unloaded(root: Path, client: OfficialClient) -> None:
    reload(client, model(root, "one"))
    wait_for_loaded(client, "two", {1: "END"})
    assert refused(answer, client) == (
        grpc.StatusCode.NOT_FOUND,
        "Servable not found for request: Latest(two)",
    )


def test_an_empty_list_unloads_everything(client: OfficialClient) -> None:
    reload(client)
    wait_for_loaded(client, "one", {1: "END"})
    wait_for_loaded(client, "two", {1: "END"})


def test_labels_find_their_versions_with_the_stubs_and_with_the_client(
    root: Path, shared_server: ModelServer, client: OfficialClient
) -> None:
    both: dict[str, Any] = {"versions": [1, 2]}
    reload(client, model(root, "two", **both))
    wait_for_loaded(client, "two", {1: "AVAILABLE", 2: "AVAILABLE"})
    reload(client, model(root, "two", **both, labels={"stable": 1, "canary": 2}))
    assert answer(client, version_label="stable") == 1
    assert answer(client, version_label="canary") == 2
    with Client(shared_server.address) as impasto:
        assert impasto.predict(Model("two", label="stable"), {"x": X})["y"] == [1]
        assert impasto.predict(Model("two", label="canary"), {"x": X})["y"] == [2]
        assert impasto.metadata(Model("two", label="stable")).version == 1
        with pytest.raises(InvalidInput, match="Unrecognized servable version label: gone"):
            impasto.predict(Model("two", label="gone"), {"x": X})
        reload(client, model(root, "two", **both, labels={"stable": 2}))
        assert impasto.predict(Model("two", label="stable"), {"x": X})["y"] == [2]
        with pytest.raises(InvalidInput, match="Unrecognized servable version label: canary"):
            impasto.predict(Model("two", label="canary"), {"x": X})


def test_a_label_on_a_version_that_is_not_loaded_is_refused_and_nothing_changes(
    root: Path, client: OfficialClient
) -> None:
    reload(client, model(root, "two", versions=[1], labels={"stable": 1}))
    assert refused(reload, client, model(root, "two", versions=[77], labels={"stable": 77})) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "Request to assign label to version 77 of model two, which is not currently available for inference",
    )
    # Nor can one request both load a version and label it.
    code, _ = refused(reload, client, model(root, "two", versions=[1, 2], labels={"stable": 2}))
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert answer(client, version_label="stable") == 1
    assert loaded(client, "two") == {1: "AVAILABLE"}


def test_a_label_whose_version_is_gone_finds_nothing(root: Path, client: OfficialClient) -> None:
    reload(client, model(root, "two", versions=[1], labels={"stable": 1}))
    # A label may be kept on a version that the same request unloads: TensorFlow Serving looks before it unloads.
    reload(client, model(root, "two", versions=[2], labels={"stable": 1}))
    wait_for_loaded(client, "two", {1: "END", 2: "AVAILABLE"})
    assert refused(answer, client, version_label="stable") == (
        grpc.StatusCode.NOT_FOUND,
        "Servable not found for request: Specific(two, 1)",
    )


def edited(config: Any, **fields: Any) -> Any:
    for name, value in fields.items():
        setattr(config, name, value)
    return config


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "one"}, "Illegal to list model one multiple times in config list"),
        ({"base_path": "foo"}, "Expected model two to have an absolute path or URI; got base_path()=foo"),
        ({"base_path": ""}, "Expected model two to have an absolute path or URI; got base_path()="),
        (
            {"model_platform": "caffe"},
            "Illegal to change a model's platform. "
            "For model two platform was tensorflow and new platform requested is caffe",
        ),
        ({"name": "new", "model_platform": "caffe"}, "Model new requests unsupported platform caffe"),
        (
            {"model_platform": ""},
            "Illegal setting neither ModelServerConfig::model_type (deprecated) "
            "nor ModelServerConfig::model_platform, model name is two",
        ),
        (
            {"name": "new", "model_platform": ""},
            "Illegal setting neither ModelServerConfig::model_type (deprecated) "
            "nor ModelServerConfig::model_platform, model name is new",
        ),
        (
            {"model_type": config_pb2.TENSORFLOW},
            "Illegal setting both ModelServerConfig::model_type (deprecated) "
            "and ModelServerConfig::model_platform, model name is two",
        ),
        (
            {"model_platform": "", "model_type": config_pb2.OTHER},
            "ModelServerConfig::model_type choice 2 not supported.",
        ),
    ],
    ids=[
        "twice",
        "relative",
        "no path",
        "other platform",
        "new platform",
        "no platform",
        "new without platform",
        "type and platform",
        "other type",
    ],
)
def test_a_list_that_cannot_be_served_is_refused_and_nothing_changes(
    root: Path, client_of_its_own: OfficialClient, fields: dict[str, Any], message: str
) -> None:
    client = client_of_its_own
    bad = edited(model(root, "two"), **fields)
    assert refused(reload, client, model(root, "one"), bad) == (grpc.StatusCode.INVALID_ARGUMENT, message)
    assert states(client, "two") == {1: "AVAILABLE"}


def test_the_deprecated_model_type_is_understood(root: Path, client: OfficialClient) -> None:
    old = edited(model(root, "two", versions=[2]), model_platform="", model_type=config_pb2.TENSORFLOW)
    reload(client, old)
    wait_for_loaded(client, "two", {1: "END", 2: "AVAILABLE"})


@pytest.mark.parametrize("kind", ["none", "custom"])
def test_only_a_list_of_models_is_taken(client: OfficialClient, kind: str) -> None:
    request = model_management_pb2.ReloadConfigRequest()
    if kind == "custom":
        request.config.custom_model_config.type_url = "type.googleapis.com/anything"
    assert refused(client.models.HandleReloadConfigRequest, request) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "ServerModelConfig type not supported by HandleReloadConfigRequest. "
        "Only ModelConfigList is currently supported",
    )


def test_a_new_model_that_does_not_load_fails_the_reload_and_leaves_the_others(
    root: Path, client: OfficialClient, tmp_path: Path
) -> None:
    (tmp_path / "bad" / "1").mkdir(parents=True)
    both = model(root, "one"), model(root, "two", versions=[1])
    code, details = refused(reload, client, *both, model(tmp_path, "bad"))
    assert code is grpc.StatusCode.UNKNOWN
    assert details.startswith(
        "1 model(s) did not become available: {{{name: bad version: 1} due to error: NOT_FOUND: "
    )
    assert answer(client) == 1


def test_a_reload_waits_for_the_first_version_of_a_new_model(
    root: Path, client: OfficialClient, tmp_path: Path
) -> None:
    (tmp_path / "late").mkdir()
    with futures.ThreadPoolExecutor() as pool:
        reloading = pool.submit(reload, client, model(root, "one"), model(tmp_path, "late"))
        wait_for(lambda: loaded(client, "two") == {}, "the reload should be in force")
        assert not reloading.done()
        toy_models.constant(tmp_path, 1, name="late")
        reloading.result()
    assert loaded(client, "late") == {1: "AVAILABLE"}


@only_local("reload: after one that waits")
def test_a_reload_whose_caller_gives_up_does_not_block_the_next(
    root: Path, client_of_its_own: OfficialClient, tmp_path: Path
) -> None:
    client = client_of_its_own
    code, _ = refused(reload, client, model(tmp_path, "never"), timeout=0.3)
    assert code is grpc.StatusCode.DEADLINE_EXCEEDED
    reload(client, model(root, "one"))
    assert states(client, "one")[1] == "AVAILABLE"


@only_local("reload: after one that waits")
def test_a_path_that_no_disk_has_keeps_no_other_model_back(
    root: Path, client_of_its_own: OfficialClient
) -> None:
    client = client_of_its_own
    bad = edited(model(root, "bad"), base_path="/nul\0byte")
    code, _ = refused(reload, client, bad, model(root, "one"), model(root, "two", versions=[2]), timeout=0.5)
    assert code is grpc.StatusCode.DEADLINE_EXCEEDED
    wait_for_states(client, "two", {1: "END", 2: "AVAILABLE"})
    reload(client, model(root, "two", versions=[3]))
    wait_for_states(client, "two", {1: "END", 2: "END", 3: "AVAILABLE"})


def test_a_file_that_is_polled_is_followed_and_overrules_a_reload(
    root: Path, tmp_path: Path, server_kind: str
) -> None:
    file = write_configuration(tmp_path / "models.config", model(root, "two", versions=[1]))
    with (
        serving(server_kind, file, model_config_file_poll_wait_seconds=POLL) as server,
        official_client(server.address) as client,
    ):
        write_configuration(file, model(root, "two", versions=[1, 2]))
        wait_for_states(client, "two", {1: "AVAILABLE", 2: "AVAILABLE"})
        write_configuration(file, model(root, "two", versions=[1, 2], labels={"stable": 2}))
        wait_for(lambda: answers(client, "stable") == 2, "the label should be there")
        reload(client, model(root, "one"))  # it ends well once that model can be called, until the next poll
        wait_for(lambda: answers(client, "stable") == 2, "the file should be in force again")
        # Where the poll came before the load, the version was never there.
        wait_for(lambda: states(client, "one") in ({1: "END"}, {}), "what the reload brought should be gone")


def answers(client: OfficialClient, label: str) -> float | None:
    try:
        return answer(client, version_label=label)
    except grpc.RpcError:
        return None


def test_a_file_that_turns_unreadable_changes_nothing_and_is_logged(
    root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = write_configuration(tmp_path / "models.config", model(root, "two", versions=[1]))
    source = ConfigFile(file, poll_seconds=QUICK)
    with (
        LocalServer(source, options=ServerOptions(file_system_poll_wait_seconds=QUICK)) as server,
        official_client(server.address) as client,
    ):
        file.write_text("model_config_list {")
        wait_for(lambda: "Error parsing text-format" in caplog.text, "the fault should be logged")
        write_configuration(file, model(root, "two", versions=[2], labels={"stable": 2}))
        wait_for(lambda: "Request to assign label to version 2" in caplog.text, "so should the label")
        assert answer(client) == 1
        write_configuration(file, model(root, "two", versions=[2]))
        wait_for_states(client, "two", {1: "END", 2: "AVAILABLE"})


def test_labels_at_the_start_need_the_flag_of_tensorflow_model_server(
    root: Path, tmp_path: Path, server_kind: str
) -> None:
    labelled = model(root, "two", versions=[1, 2], labels={"stable": 1})
    file = write_configuration(tmp_path / "models.config", labelled)
    with pytest.raises(ConfigError) as caught:
        LocalServer(ConfigFile(file)).start()
    assert str(caught.value) == (
        "Failed to start server. Error: FAILED_PRECONDITION: Request to assign label to version 1 of model two, "
        "which is not currently available for inference"
    )
    with (
        serving(server_kind, file) as server,
        official_client(server.address) as client,
    ):
        assert answer(client, version_label="stable") == 1
        # A new label may name a version that is not loaded; one in use moves to available versions only.
        reload(client, model(root, "two", versions=[1, 2], labels={"stable": 1, "next": 3}))
        assert refused(answer, client, version_label="next") == (
            grpc.StatusCode.NOT_FOUND,
            "Servable not found for request: Specific(two, 3)",
        )
        code, _ = refused(reload, client, model(root, "two", versions=[1, 2], labels={"stable": 3}))
        assert code is grpc.StatusCode.FAILED_PRECONDITION


def test_the_state_of_a_label_is_of_all_versions(root: Path, client: OfficialClient) -> None:
    reload(client, model(root, "two", versions=[1, 2]))
    wait_for_loaded(client, "two", {1: "AVAILABLE", 2: "AVAILABLE"})
    response = client.status({"name": "two", "version_label": "nope"})
    assert [status.version for status in response.model_version_status if status.version != 3] == [2, 1]
