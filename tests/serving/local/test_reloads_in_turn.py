"""Reloads that meet: one at a time, one that waits, and none for a caller that has gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from tensorflow_serving.apis import model_management_pb2

from impasto.serving import ConfigFile, LocalServer, ServerOptions
from servers.configurations import (
    QUICK,
    configuration,
    model,
    reload,
    states,
    wait_for,
    wait_for_states,
    write_configuration,
)
from servers.official_stubs import OfficialClient, official_client
from toys import toy_models

BUSY = "A reload is in progress and another one waits for it. Try again when they are done."


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`one`, `two` and `three` with version 1."""
    root = tmp_path_factory.mktemp("models")
    for name in ("one", "two", "three"):
        toy_models.constant(root, 1, name=name)
    return root


@pytest.fixture
def client(root: Path, tmp_path: Path) -> Iterator[OfficialClient]:
    """The official stubs at a server of `one`."""
    file = write_configuration(tmp_path / "models.config", model(root, "one"))
    with (
        LocalServer(ConfigFile(file), options=ServerOptions(file_system_poll_wait_seconds=QUICK)) as server,
        official_client(server.address) as client,
    ):
        yield client


def begin(client: OfficialClient, *models: Any) -> Any:
    """A reload in the background."""
    request = model_management_pb2.ReloadConfigRequest(config=configuration(*models))
    return client.models.HandleReloadConfigRequest.future(request)


def begin_endless(client: OfficialClient, root: Path) -> Any:
    """A reload that waits for a model without versions, once it is in force: `one` is gone then."""
    endless = begin(client, model(root, "never"))
    wait_for_states(client, "one", {1: "END"})
    return endless


def begin_second(client: OfficialClient, root: Path) -> Any:
    """A reload to `two` that waits for the endless one. A third one may come before it, so it is sent again then."""
    calls = [begin(client, model(root, "two"))]

    def waits() -> bool:
        if calls[-1].done():
            calls.append(begin(client, model(root, "two")))
        third = refusal(client, model(root, "three"))
        assert third in (None, (grpc.StatusCode.RESOURCE_EXHAUSTED, BUSY))
        return third is not None

    wait_for(waits, "the second should wait and the third be refused")
    return calls[-1]


def refusal(client: OfficialClient, *models: Any) -> tuple[grpc.StatusCode, str] | None:
    """Code and text of the refusal of a reload; None if it waits."""
    try:
        reload(client, *models, timeout=0.5)
    except grpc.RpcError as error:
        is_waiting = error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        return None if is_waiting else (error.code(), str(error.details()))
    raise AssertionError("a reload was answered before its turn")


def test_one_reload_waits_and_more_are_refused(root: Path, client: OfficialClient) -> None:
    endless = begin_endless(client, root)
    second = begin_second(client, root)
    assert states(client, "two") == {}
    endless.cancel()
    assert second.result().HasField("status")
    assert states(client, "two") == {1: "AVAILABLE"}
    assert states(client, "three") == {}


def test_a_reload_whose_caller_has_gone_is_not_applied(root: Path, client: OfficialClient) -> None:
    endless = begin_endless(client, root)
    second = begin_second(client, root)
    second.cancel()
    wait_for(lambda: refusal(client, model(root, "three")) is None, "the second should wait no more")
    endless.cancel()
    wait_for(lambda: is_applied(client, root), "a third reload should have its turn")
    assert states(client, "two") == {}


def is_applied(client: OfficialClient, root: Path) -> bool:
    try:
        reload(client, model(root, "three"))
    except grpc.RpcError as error:
        assert error.details() == BUSY  # the two before it are not gone yet
        return False
    return states(client, "three") == {1: "AVAILABLE"}


def test_metrics_that_are_asked_for_have_not_increased(root: Path, client: OfficialClient) -> None:
    request = model_management_pb2.ReloadConfigRequest(
        config=configuration(model(root, "one")), metric_names=["/tensorflow/serving/request_count"]
    )
    response = client.models.HandleReloadConfigRequest(request)
    assert response.HasField("status")
    assert [(metric.name, metric.int64_value_increase) for metric in response.metric] == [
        ("/tensorflow/serving/request_count", 0)
    ]
