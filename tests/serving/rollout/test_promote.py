"""`impasto-serving promote`, `rollback` and `reload` against running servers, with callers that must notice nothing."""

from __future__ import annotations

import itertools
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from click.testing import CliRunner, Result
from google.protobuf import text_format
from tensorflow_serving.apis import model_management_pb2
from tensorflow_serving.config import model_server_config_pb2 as config_pb2

from impasto.client import Client, Model
from impasto.client._wire.format import delimited
from impasto.serving.cli import main
from servers.certificates import Authority, arguments
from servers.configurations import (
    configuration,
    loaded,
    model,
    reload,
    states,
    wait_for,
    wait_for_loaded,
    write_configuration,
)
from servers.model_servers import POLL, ModelServer, serving
from servers.official_stubs import OfficialClient, official_client
from toys import toy_models

X = np.zeros(1, np.float32)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`m` with versions 1 to 4, of which 4 is broken, and `other`."""
    root = tmp_path_factory.mktemp("models")
    for version in (1, 2, 3):
        toy_models.constant(root, version, name="m")
    (root / "m" / "4").mkdir()
    (root / "m" / "4" / "saved_model.pb").write_bytes(b"broken")
    toy_models.constant(root, 1, name="other")
    return root


def first_entries(root: Path) -> list[Any]:
    """Version 1 of `m`, as `config` with --stable lists it, and `other`."""
    return [model(root, "m", versions=[1], labels={"stable": 1}), model(root, "other")]


@pytest.fixture
def file(root: Path, tmp_path: Path) -> Path:
    """A models.config of its own for each test."""
    return write_configuration(tmp_path / "models.config", *first_entries(root))


Start: TypeAlias = Callable[..., AbstractContextManager[ModelServer]]


@pytest.fixture
def start(server_kind: str) -> Start:
    """Starts a server of this kind; with `polled` it follows its file."""

    def start(file: Path, *, polled: bool = False, **flags: Any) -> AbstractContextManager[ModelServer]:
        every = POLL if polled else "0"
        return serving(server_kind, file, model_config_file_poll_wait_seconds=every, **flags)

    return start


@pytest.fixture(scope="module")
def shared_server(
    root: Path, server_kind: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ModelServer]:
    file = tmp_path_factory.mktemp("shared") / "models.config"
    with serving(server_kind, write_configuration(file, *first_entries(root))) as server:
        yield server


@pytest.fixture
def client(shared_server: ModelServer) -> Iterator[OfficialClient]:
    with official_client(shared_server.address) as client:
        yield client


@pytest.fixture
def server(root: Path, shared_server: ModelServer, client: OfficialClient) -> ModelServer:
    """A server with the configuration of `file` in force, whatever the test before has left."""
    pinned, other = first_entries(root)
    reload(client, model(root, "m", versions=[1]), other)
    wait_for(lambda: loaded(client, "m") == loaded(client, "other") == {1: "AVAILABLE"}, "as at the start")
    reload(client, pinned, other)
    return shared_server


def run(
    command: str, *words: object, file: Path, servers: list[ModelServer], more: list[str] | None = None
) -> Result:
    line = [command, *map(str, words), "--config", str(file), "--no-load", *(more or [])]
    for server in servers:
        line += ["--server", server.address]
    return CliRunner().invoke(main, line)


def done(
    command: str, *words: object, file: Path, servers: list[ModelServer], more: list[str] | None = None
) -> str:
    result = run(command, *words, file=file, servers=servers, more=more)
    assert result.exit_code == 0, result.output
    return str(result.stdout)


def labels(file: Path, name: str = "m") -> dict[str, int]:
    return dict(entry(file, name).version_labels)


def entry(file: Path, name: str) -> Any:
    config = text_format.Parse(file.read_text(), config_pb2.ModelServerConfig())
    (found,) = (model for model in config.model_config_list.config if model.name == name)
    return found


def answer(server: ModelServer, label: str | None) -> float:
    with Client(server.address) as client:
        return float(client.predict(Model("m", label=label), {"x": X})["y"][0])


def available(client: OfficialClient) -> set[int]:
    return {version for version, state in states(client, "m").items() if state == "AVAILABLE"}


def test_a_promotion_moves_the_label_and_keeps_the_way_back(
    file: Path, server: ModelServer, client: OfficialClient
) -> None:
    said = done("promote", "m", 2, file=file, servers=[server])
    assert said.splitlines() == [
        "version 2 of m is served beside 1",
        "stable of m is version 2, it was 1",
    ]
    assert answer(server, "stable") == 2
    assert available(client) == {1, 2}
    assert labels(file) == {"stable": 2, "stable-previous": 1}
    done("rollback", "m", file=file, servers=[server])
    assert answer(server, "stable") == 1
    assert labels(file) == {"stable": 1, "stable-previous": 2}
    done("rollback", "m", file=file, servers=[server])
    assert answer(server, "stable") == 2


def test_a_restart_serves_what_was_promoted(file: Path, server: ModelServer, start: Start) -> None:
    done("promote", "m", 3, file=file, servers=[server])
    with start(file) as restarted, official_client(restarted.address) as client:
        assert answer(restarted, "stable") == 3
        assert answer(restarted, "stable-previous") == 1
        assert available(client) == {1, 3}
        assert states(client, "other") == {1: "AVAILABLE"}


def test_what_was_two_promotions_ago_is_unloaded(
    file: Path, server: ModelServer, client: OfficialClient
) -> None:
    done("promote", "m", 2, file=file, servers=[server])
    said = done("promote", "m", 3, file=file, servers=[server])
    assert said.splitlines()[-1] == "version 1 of m goes"
    wait_for_loaded(client, "m", {3: "AVAILABLE", 2: "AVAILABLE", 1: "END"})
    assert labels(file) == {"stable": 3, "stable-previous": 2}


def test_the_old_version_is_dropped_at_once_if_asked(
    file: Path, server: ModelServer, client: OfficialClient
) -> None:
    done("promote", "m", 2, "--drop-old", file=file, servers=[server])
    wait_for_loaded(client, "m", {2: "AVAILABLE", 1: "END"})
    assert labels(file) == {"stable": 2}
    refused = run("rollback", "m", file=file, servers=[server])
    assert refused.exit_code == 1
    assert "no version is known to which stable could go back" in refused.output


def test_a_canary_runs_beside_the_stable_version_and_back(
    file: Path, server: ModelServer, client: OfficialClient
) -> None:
    done("promote", "m", 3, "--label", "canary", file=file, servers=[server])
    assert (answer(server, "stable"), answer(server, "canary")) == (1, 3)
    done("rollback", "m", "--label", "canary", "--drop-old", file=file, servers=[server])
    assert (answer(server, "stable"), answer(server, "canary")) == (1, 1)
    wait_for_loaded(client, "m", {3: "END", 1: "AVAILABLE"})
    done("promote", "m", 3, "--label", "canary", file=file, servers=[server])
    done("promote", "m", 3, file=file, servers=[server])
    assert (answer(server, "stable"), answer(server, "canary")) == (3, 3)


def test_a_model_that_follows_the_newest_version_gets_its_first_labels(tmp_path: Path, start: Start) -> None:
    repository = tmp_path / "models"
    for version in (1, 2):
        toy_models.constant(repository, version, name="m")
    file = write_configuration(tmp_path / "models.config", model(repository, "m", latest=1))
    with start(file) as server:
        done("promote", "m", 1, file=file, servers=[server])
        assert (answer(server, "stable"), answer(server, "stable-previous")) == (1, 2)
        assert list(entry(file, "m").model_version_policy.specific.versions) == [1, 2]


def test_callers_by_label_notice_nothing(file: Path, start: Start) -> None:
    stop = threading.Event()
    answers: list[list[float]] = [[], [], []]

    with start(file, polled=True) as server, futures.ThreadPoolExecutor() as pool:

        def call(seen: list[float]) -> None:
            with Client(server.address) as client:
                while not stop.is_set():
                    seen.append(float(client.predict(Model("m", label="stable"), {"x": X})["y"][0]))

        def all_see(version: int) -> None:
            wait_for(lambda: all(seen[-1:] == [version] for seen in answers), f"{version} should answer")

        callers = [pool.submit(call, seen) for seen in answers]
        try:
            all_see(1)
            done("promote", "m", 2, "--drop-old", file=file, servers=[server])
            all_see(2)
            done("promote", "m", 3, file=file, servers=[server])
            all_see(3)
            done("rollback", "m", "--drop-old", file=file, servers=[server])
            all_see(2)
        finally:
            stop.set()
        for caller in callers:
            caller.result()
    for seen in answers:
        assert [version for version, _ in itertools.groupby(seen)] == [1, 2, 3, 2]


def test_every_replica_is_promoted(file: Path, start: Start) -> None:
    with start(file, polled=True) as first, start(file) as second:
        done("promote", "m", 2, file=file, servers=[first, second])
        assert (answer(first, "stable"), answer(second, "stable")) == (2, 2)


def test_a_version_that_does_not_load_leaves_everything_as_it_was(
    file: Path, server: ModelServer, client: OfficialClient
) -> None:
    before = entry(file, "m")
    result = run("promote", "m", 4, file=file, servers=[server])
    assert result.exit_code == 1
    assert f"version 4 of m on {server.address} did not load: " in result.output
    assert "Going back to the configuration as it was." in result.output
    assert entry(file, "m") == before
    assert available(client) == {1}
    assert answer(server, "stable") == 1
    done("promote", "m", 2, file=file, servers=[server])


def test_a_version_that_failed_is_promoted_once_it_is_mended(tmp_path: Path, start: Start) -> None:
    repository = tmp_path / "models"
    toy_models.constant(repository, 1, name="m")
    good = toy_models.constant(tmp_path / "aside", 2, name="m")
    (repository / "m" / "2").mkdir()
    file = write_configuration(tmp_path / "models.config", model(repository, "m", versions=[1]))
    with start(file) as server:
        assert run("promote", "m", 2, file=file, servers=[server]).exit_code == 1
        shutil.copytree(good, repository / "m" / "2", dirs_exist_ok=True)
        if server.kind == "real":
            time.sleep(2 * float(POLL))  # it tries again once it has seen that nobody asks for the version
        done("promote", "m", 2, file=file, servers=[server])
        assert answer(server, "stable") == 2


def test_a_version_that_is_not_there_is_named_beside_those_that_are(file: Path, server: ModelServer) -> None:
    result = run("promote", "m", 77, file=file, servers=[server])
    assert result.exit_code == 1
    assert re.search(r"m has no version 77 in \S+; it has 1, 2, 3, 4\.", result.output)
    assert labels(file) == {"stable": 1}
    assert answer(server, "stable") == 1


def test_a_model_that_is_not_listed_is_named_beside_those_that_are(file: Path, server: ModelServer) -> None:
    result = run("promote", "nope", 1, file=file, servers=[server])
    assert result.exit_code == 1
    assert "does not list 'nope'; it lists m, other" in result.output


def test_a_server_that_is_away_is_named(file: Path, start: Start) -> None:
    with start(file) as server:
        server.stop()
    result = run("promote", "m", 2, file=file, servers=[server])
    assert result.exit_code == 1
    assert f"no model server answers at {server.address}" in result.output
    assert labels(file) == {"stable": 1}


def test_a_reload_puts_an_edited_file_in_force(
    root: Path, file: Path, server: ModelServer, client: OfficialClient
) -> None:
    write_configuration(file, model(root, "m", versions=[1, 3]))
    assert done("reload", file=file, servers=[server]) == "In force: m\n"
    wait_for_loaded(client, "m", {3: "AVAILABLE", 1: "AVAILABLE"})
    wait_for(lambda: states(client, "other") == {1: "END"}, "other is listed no longer")


def test_a_reload_that_the_server_refuses_says_why(root: Path, file: Path, server: ModelServer) -> None:
    write_configuration(file, model(root, "m", versions=[1], labels={"stable": 2}))
    result = run("reload", file=file, servers=[server])
    assert result.exit_code == 1
    assert (
        f"{server.address} refuses the configuration: FAILED_PRECONDITION: "
        "Request to assign label to version 2 of model m" in result.output
    )


def test_an_edited_file_that_no_server_takes_is_not_sent(file: Path, server: ModelServer) -> None:
    file.write_text(
        "model_config_list { config { name: 'm' base_path: 'relative' model_platform: 'tensorflow' } }"
    )
    result = run("reload", file=file, servers=[server])
    assert "Expected model m to have an absolute path or URI; got base_path()=relative" in result.output
    file.write_text("model_config_list { config { nam: 'm' } }")
    result = run("reload", file=file, servers=[server])
    assert "Error parsing text-format tensorflow.serving.ModelServerConfig" in result.output


def test_servers_with_mtls_are_promoted_by_who_has_a_certificate(
    file: Path, tmp_path: Path, start: Start
) -> None:
    authority = Authority(tmp_path, "ca")
    config = authority.ssl_config("127.0.0.1", client_ca=authority.certificate)
    with start(file, ssl_config_file=config) as server:
        refused = run("promote", "m", 2, file=file, servers=[server])
        assert "the server wants TLS" in refused.output
        done("promote", "m", 2, file=file, servers=[server], more=arguments(authority.client()))
        assert labels(file) == {"stable": 2, "stable-previous": 1}


def test_the_request_is_the_one_of_the_official_api(root: Path) -> None:
    config = configuration(model(root, "m", versions=[1], labels={"stable": 1}))
    ours = delimited(1, config.SerializeToString())
    assert model_management_pb2.ReloadConfigRequest.FromString(ours).config == config
