"""Versions that do not load: tried again, LOADING meanwhile, END with the error after, as TensorFlow Serving has it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from both_servers.differences import only_local
from impasto.serving import ConfigFile, LocalServer, ModelLoadError, ServerOptions
from servers import model_servers
from servers.configurations import (
    QUICK,
    model,
    reload,
    states,
    wait_for,
    wait_for_states,
    write_configuration,
)
from servers.official_stubs import OfficialClient, official_client, outputs
from toys import toy_models

X = np.zeros(1, np.float32)
HOUR = 3_600_000_000
SOON = 20_000
FOREVER = 2**31 - 1


def broken(root: Path, version: int, *, name: str = "m") -> Path:
    """Adds a version whose graph is no graph."""
    aside = root / name / f".staging-{version}"
    aside.mkdir(parents=True)
    (aside / "saved_model.pb").write_bytes(b"not a saved model at all")
    return aside.rename(root / name / str(version))


def mended(shelf: Path, version: Path) -> None:
    """Gives a broken version the graph of a good one."""
    aside = version / "aside"
    shutil.copy(shelf / "saved_model.pb", aside)
    aside.replace(version / "saved_model.pb")


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good version, to copy."""
    return toy_models.constant(tmp_path_factory.mktemp("shelf"), 5)


@pytest.fixture
def root(tmp_path: Path, shelf: Path) -> Path:
    """A repository with version 1 of `m`, which says 5."""
    shutil.copytree(shelf, tmp_path / "m" / "1")
    return tmp_path


@contextmanager
def serving(source: Any, *, retries: int, interval: int, poll: float = QUICK) -> Iterator[OfficialClient]:
    """A server that tries again so often, with so many microseconds between."""
    with (
        LocalServer(
            source,
            options=ServerOptions(
                file_system_poll_wait_seconds=poll,
                max_num_load_retries=retries,
                load_retry_interval_micros=interval,
            ),
        ) as server,
        official_client(server.address) as client,
    ):
        yield client


def answer(client: OfficialClient) -> tuple[int, float]:
    """The version that answers, and what it says."""
    response = client.predict("m", {"x": X})
    return response.model_spec.version.value, float(outputs(response)["y"][0])


def test_between_two_tries_a_version_is_loading_and_the_old_one_serves(root: Path, server_kind: str) -> None:
    with (
        model_servers.serving(
            server_kind, root, max_num_load_retries=1, load_retry_interval_micros=HOUR
        ) as server,
        official_client(server.address) as client,
    ):
        broken(root, 2)
        wait_for_states(client, "m", {2: "LOADING", 1: "AVAILABLE"})
        (latest, _) = client.status("m").model_version_status
        assert (latest.status.error_code, latest.status.error_message) == (0, "")
        assert answer(client) == (1, 5)


def test_after_the_last_try_a_version_is_at_its_end_with_the_error(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(root, retries=2, interval=SOON) as client:
        version = broken(root, 2)
        wait_for_states(client, "m", {2: "END", 1: "AVAILABLE"})
        (latest, _) = client.status("m").model_version_status
        assert (latest.status.error_code, latest.status.error_message) == (
            grpc.StatusCode.DATA_LOSS.value[0],
            f"Can't parse {version}/saved_model.pb as binary proto",
        )
        assert answer(client) == (1, 5)
    said = [
        record.getMessage().rpartition("; ")[2] for record in caplog.records if "not load" in record.message
    ]
    assert said == [
        "it is tried again in 0.02 s (1 of 2)",
        "it is tried again in 0.02 s (2 of 2)",
        "it is not tried again until its files change",
    ]


def test_no_other_model_waits_for_a_version_that_is_tried_again(root: Path, shelf: Path) -> None:
    with serving(root, retries=1, interval=HOUR) as client:
        broken(root, 2)
        wait_for(lambda: states(client, "m").get(2) == "LOADING", "version 2 should be tried")
        shutil.copytree(shelf, root / "n" / "1")
        wait_for_states(client, "n", {1: "AVAILABLE"})
        shutil.copytree(shelf, root / "m" / "3")
        wait_for(lambda: states(client, "m").get(3) == "AVAILABLE", "version 3 should be loaded")


@pytest.mark.parametrize("retries", [0, 1], ids=["after its end", "between two tries"])
def test_a_version_whose_files_change_is_tried_at_once(root: Path, shelf: Path, retries: int) -> None:
    with serving(root, retries=retries, interval=HOUR) as client:
        version = broken(root, 2)
        wait_for(lambda: states(client, "m").get(2) in ("LOADING", "END"), "version 2 should be tried")
        mended(shelf, version)
        wait_for_states(client, "m", {2: "AVAILABLE", 1: "END"})
        assert answer(client) == (2, 5)


def test_a_version_that_leaves_while_it_is_tried_is_at_its_end_with_the_error(root: Path) -> None:
    with serving(root, retries=1, interval=HOUR) as client:
        version = broken(root, 2)
        wait_for(lambda: states(client, "m").get(2) == "LOADING", "version 2 should be tried")
        version.rename(version.with_name(".gone"))
        wait_for_states(client, "m", {2: "END", 1: "AVAILABLE"})
        assert client.status("m").model_version_status[0].status.error_code != 0


def test_a_server_that_looks_at_the_disk_once_tries_again_all_the_same(root: Path, shelf: Path) -> None:
    file = write_configuration(root / "models.config", model(root, "m", all_versions=True))
    broken(root, 1, name="late")
    with serving(ConfigFile(file), retries=FOREVER, interval=SOON, poll=0) as client:
        # The reload is the one look that sees version 2.
        version = broken(root, 2)
        reload(client, model(root, "m", all_versions=True))
        wait_for(lambda: states(client, "m").get(2) == "LOADING", "version 2 should be tried")
        shutil.copytree(shelf, root / "m" / "3")
        mended(shelf, version)
        wait_for_states(client, "m", {2: "AVAILABLE", 1: "AVAILABLE"})


def test_a_start_tries_again_before_it_fails(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for version in (1, 2):
        broken(tmp_path, version)
    file = write_configuration(tmp_path / "models.config", model(tmp_path, "m", all_versions=True))
    server = LocalServer(
        ConfigFile(file), options=ServerOptions(max_num_load_retries=1, load_retry_interval_micros=SOON)
    )
    with pytest.raises(ModelLoadError) as caught:
        server.start()
    newest = tmp_path / "m" / "2"
    assert str(caught.value).startswith(
        "Failed to start server. Error: UNKNOWN: 1 servable(s) did not become available: "
        "{{{name: m version: 2} due to error: "
        f"DATA_LOSS: Can't parse {newest}/saved_model.pb as binary proto}}, }}"
    )
    assert caplog.text.count("(1 of 1)") == 2  # once for each version


@only_local("reload: a new model's newest version cannot be loaded")
def test_a_start_succeeds_if_one_version_of_each_model_loads(root: Path, server_kind: str) -> None:
    broken(root, 2)
    file = write_configuration(root / "models.config", model(root, "m", all_versions=True))
    with (
        model_servers.serving(
            server_kind, file, max_num_load_retries=1, load_retry_interval_micros=SOON
        ) as server,
        official_client(server.address) as client,
    ):
        # The port opened after the last try.
        assert states(client, "m") == {2: "END", 1: "AVAILABLE"}


def test_a_reload_waits_for_the_tries_of_a_new_model(root: Path, shelf: Path) -> None:
    file = write_configuration(root / "models.config", model(root, "m"))
    with serving(ConfigFile(file), retries=1, interval=SOON) as client:
        version = broken(root, 1, name="new")
        with pytest.raises(grpc.RpcError) as caught:
            reload(client, model(root, "m"), model(root, "new"))
        assert (caught.value.code(), caught.value.details()) == (
            grpc.StatusCode.UNKNOWN,
            "1 model(s) did not become available: {{{name: new version: 1} due to error: "
            f"DATA_LOSS: Can't parse {version}/saved_model.pb as binary proto}}, }}",
        )
        assert states(client, "new") == {1: "END"}
        assert answer(client) == (1, 5)
        mended(shelf, version)
        wait_for_states(client, "new", {1: "AVAILABLE"})
