"""Which versions are served while they come and go on disk, and while calls run on them."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from both_servers.differences import only_local
from impasto.serving import LocalServer, ServerOptions, SingleModel
from servers.configurations import QUICK, model, states, wait_for, wait_for_states, write_configuration
from servers.model_servers import POLL, serving
from servers.official_stubs import TIMEOUT, OfficialClient, official_client, outputs, predict_request
from toys import toy_models

X = np.zeros(1, np.float32)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Versions 1 to 6 of `constant` to copy into a repository: copying is quicker than building."""
    root = tmp_path_factory.mktemp("shelf")
    for version in range(1, 7):
        toy_models.constant(root, version)
    return root / "constant"


def put(shelf: Path, root: Path, version: int, *, name: str = "m") -> Path:
    """Adds a version the way an exporter does: written aside, then renamed."""
    aside = root / name / f".staging-{version}"
    shutil.copytree(shelf / str(version), aside)
    return aside.rename(root / name / str(version))


def answer(client: OfficialClient, **spec: Any) -> float:
    """What the constant model says: the number of the version that answered."""
    response = client.predict({"name": "m", **spec}, {"x": X})
    assert response.model_spec.version.value == outputs(response)["y"][0]
    return float(outputs(response)["y"][0])


def wait_for_available(client: OfficialClient, versions: set[int]) -> None:
    wait_for(
        lambda: {number for number, state in states(client, "m").items() if state == "AVAILABLE"} == versions,
        f"{versions} should be served",
    )


def refusal(client: OfficialClient, **spec: Any) -> str:
    with pytest.raises(grpc.RpcError) as caught:
        client.predict({"name": "m", **spec}, {"x": X})
    return str(caught.value.details())


@pytest.fixture
def root(tmp_path: Path, shelf: Path) -> Path:
    """A repository with version 1 of `m`."""
    put(shelf, tmp_path, 1)
    return tmp_path


@pytest.fixture
def client(root: Path, server_kind: str) -> Iterator[OfficialClient]:
    """The official stubs at a server that looks at `root` all the time."""
    with serving(server_kind, root) as server, official_client(server.address) as client:
        yield client


@pytest.fixture
def repository_client(root: Path) -> Iterator[OfficialClient]:
    """The official stubs at a local server that serves whatever model `root` has."""
    with (
        LocalServer(root, options=ServerOptions(file_system_poll_wait_seconds=QUICK)) as server,
        official_client(server.address) as client,
    ):
        yield client


def test_a_new_version_replaces_the_old_one_which_stays_listed(
    root: Path, shelf: Path, client: OfficialClient
) -> None:
    assert answer(client) == 1
    put(shelf, root, 3)
    wait_for_states(client, "m", {3: "AVAILABLE", 1: "END"})
    assert answer(client) == 3
    assert refusal(client, version=1) == "Servable not found for request: Specific(m, 1)"


def test_deleting_the_newest_version_brings_back_the_one_before(
    root: Path, shelf: Path, client: OfficialClient
) -> None:
    put(shelf, root, 2)
    wait_for_states(client, "m", {2: "AVAILABLE", 1: "END"})
    shutil.rmtree(root / "m" / "2")
    wait_for_states(client, "m", {2: "END", 1: "AVAILABLE"})
    assert answer(client) == 1


def test_a_model_that_appears_in_the_repository_is_served(
    root: Path, shelf: Path, repository_client: OfficialClient
) -> None:
    put(shelf, root, 4, name="late")
    wait_for_states(repository_client, "late", {4: "AVAILABLE"})


def test_a_model_that_leaves_the_repository_is_unloaded(
    root: Path, shelf: Path, repository_client: OfficialClient
) -> None:
    put(shelf, root, 4, name="short")
    wait_for_states(repository_client, "short", {4: "AVAILABLE"})
    (root / "short").rename(root / ".short")
    wait_for_states(repository_client, "short", {4: "END"})
    assert states(repository_client, "m") == {1: "AVAILABLE"}


def test_a_version_that_does_not_load_leaves_the_old_one_in_service(
    root: Path, shelf: Path, client: OfficialClient
) -> None:
    broken = root / "m" / ".staging-2"
    broken.mkdir()
    (broken / "saved_model.pb").write_bytes(b"no model")
    broken.rename(root / "m" / "2")
    wait_for(lambda: states(client, "m").get(2) == "END", "version 2 should have failed")
    (failed, _) = client.status("m").model_version_status
    assert failed.status.error_code != 0
    assert failed.status.error_message
    assert answer(client) == 1


@only_local("load: complete after the last attempt")
def test_a_version_that_was_incomplete_is_loaded_once_it_is_complete(
    root: Path, shelf: Path, client: OfficialClient
) -> None:
    (root / "m" / "2").mkdir()
    wait_for(lambda: states(client, "m").get(2) == "END", "the empty version 2 should have failed")
    shutil.copy(shelf / "2" / "saved_model.pb", root / "m" / "2" / "saved_model.pb")
    wait_for_states(client, "m", {2: "AVAILABLE", 1: "END"})


@pytest.mark.parametrize("kind", ["repository", "base path"])
def test_a_disk_that_goes_away_takes_no_model_with_it(
    root: Path, shelf: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    source = root if kind == "repository" else SingleModel("m", str(root / "m"))
    said = "does not exist" if kind == "repository" else "Could not find base path"
    with (
        LocalServer(source, options=ServerOptions(file_system_poll_wait_seconds=QUICK)) as server,
        official_client(server.address) as client,
    ):
        away = root.rename(root.with_name("away"))
        wait_for(lambda: said in caplog.text, "the server should notice")
        assert answer(client) == 1
        away.rename(root)
        put(shelf, root, 2)
        wait_for_states(client, "m", {2: "AVAILABLE", 1: "END"})


def test_a_call_that_runs_on_an_old_version_is_answered_by_it(tmp_path: Path, server_kind: str) -> None:
    toy_models.slow(tmp_path, 1)
    newer = toy_models.slow(tmp_path / ".aside", 2)
    with (
        serving(server_kind, tmp_path) as server,
        official_client(server.address) as client,
        futures.ThreadPoolExecutor() as pool,
    ):
        client.predict("slow", {"steps": np.int32(1)})
        running = pool.submit(client.predict, "slow", {"steps": np.int32(2500)})
        newer.rename(tmp_path / "slow" / "2")
        if server_kind == "local":  # the real one makes no version available while a call runs on any other
            wait_for(lambda: states(client, "slow").get(1) == "UNLOADING", "version 1 should be unloading")
            assert not running.done()
            assert client.predict("slow", {"steps": np.int32(1)}).model_spec.version.value == 2
        assert running.result().model_spec.version.value == 1
        wait_for_states(client, "slow", {2: "AVAILABLE", 1: "END"})
        assert client.predict("slow", {"steps": np.int32(1)}).model_spec.version.value == 2


def test_no_call_of_thousands_fails_while_versions_come_and_go(
    tmp_path: Path, shelf: Path, server_kind: str
) -> None:
    for version in (1, 2):
        put(shelf, tmp_path, version)
    file = write_configuration(tmp_path / "models.config", model(tmp_path, "m", latest=2))
    request = predict_request("m", {"x": X})
    answers: list[int] = []
    stop = threading.Event()

    def call_until_stopped(address: str) -> None:
        with official_client(address) as client:
            while not stop.wait(
                0.002
            ):  # calls without a pause would only take processor time from the server
                response = client.prediction.Predict(request, timeout=TIMEOUT)
                assert outputs(response)["y"] == [response.model_spec.version.value]
                answers.append(response.model_spec.version.value)

    with (
        serving(server_kind, file, model_config_file_poll_wait_seconds=POLL) as server,
        official_client(server.address) as client,
        futures.ThreadPoolExecutor() as pool,
    ):
        callers = [pool.submit(call_until_stopped, server.address) for _ in range(4)]
        try:
            for version in (3, 4, 5, 6):
                put(shelf, tmp_path, version)
                wait_for_available(client, {version, version - 1})
            for versions in ({5}, {2, 3}, {1}, {6, 1}):
                write_configuration(file, model(tmp_path, "m", versions=sorted(versions)))
                wait_for_available(client, versions)
            wait_for(lambda: len(answers) > 2000, "thousands of calls should be answered")
        finally:
            stop.set()
        for caller in callers:
            caller.result()
    assert set(answers) == {1, 2, 3, 4, 5, 6}


POLICIES: dict[str, tuple[dict[str, Any], set[int]]] = {
    "none": ({}, {4}),
    "latest 2": ({"latest": 2}, {4, 3}),
    "latest 9": ({"latest": 9}, {4, 3, 2}),
    "specific": ({"versions": [2, 3]}, {2, 3}),
    "specific, one absent": ({"versions": [2, 77]}, {2}),
    "all": ({"all_versions": True}, {2, 3, 4}),
}


@pytest.fixture(scope="module")
def policies_client(
    tmp_path_factory: pytest.TempPathFactory, shelf: Path, server_kind: str
) -> Iterator[OfficialClient]:
    """The official stubs at a server with a model for each policy, all of one folder."""
    root = tmp_path_factory.mktemp("policies")
    for version in (2, 3, 4):
        put(shelf, root, version)
    entries = [model(root, "m", **policy) for policy, _ in POLICIES.values()]
    for entry, name in zip(entries, POLICIES, strict=True):
        entry.name = name
    file = write_configuration(root / "models.config", *entries)
    with serving(server_kind, file) as server, official_client(server.address) as client:
        yield client


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_says_which_versions_are_served(name: str, policies_client: OfficialClient) -> None:
    client, (_, served) = policies_client, POLICIES[name]
    wait_for_states(client, name, dict.fromkeys(served, "AVAILABLE"))
    assert answer(client, name=name) == max(served)
    assert {answer(client, name=name, version=version) for version in served} == served


def test_one_model_is_served_by_its_base_path(root: Path, server_kind: str) -> None:
    flags: dict[str, Any] = {"model_config_file": None, "model_name": "any", "model_base_path": root / "m"}
    with serving(server_kind, root, **flags) as server, official_client(server.address) as client:
        assert states(client, "any") == {1: "AVAILABLE"}


def test_with_a_poll_wait_of_0_the_disk_is_looked_at_once(root: Path, shelf: Path, server_kind: str) -> None:
    with (
        serving(server_kind, root, file_system_poll_wait_seconds=0) as still,
        serving(server_kind, root) as follower,
        official_client(still.address) as client,
        official_client(follower.address) as other,
    ):
        put(shelf, root, 2)
        wait_for_states(other, "m", {2: "AVAILABLE", 1: "END"})
        assert states(client, "m") == {1: "AVAILABLE"}
