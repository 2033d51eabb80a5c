"""Deadlines stop a running session; calls beyond the limit are refused; long messages are cut."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import grpc
import numpy as np
import pytest

from impasto.serving import LocalServer, ServerOptions
from servers.model_servers import serving
from servers.official_stubs import OfficialClient, official_client, predict_request
from toys import toy_models

Answer = TypeVar("Answer")

FOREVER = np.int32(2**31 - 1)
LONG = np.int32(3000)
X = np.array([1], np.float32)


@pytest.fixture(scope="module")
def single(toy_repository: Path, server_kind: str) -> Iterator[OfficialClient]:
    """A server that answers one call at once: it keeps one of its threads to itself."""
    with (
        serving(server_kind, toy_repository, only=["slow", "half"], grpc_max_threads=2) as server,
        official_client(server.address) as client,
    ):
        yield client


def _refused(client: OfficialClient) -> str | None:
    """The details of the refusal of a quick call; None if it was answered."""
    try:
        client.predict("half", {"x": X})
    except grpc.RpcError as error:
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        return str(error.details())
    return None


def _occupy(client: OfficialClient, *, steps: np.int32 = FOREVER, timeout: float | None = None) -> Any:
    """A call that is running and holds the server's only place."""
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        running = client.prediction.Predict.future(predict_request("slow", {"steps": steps}), timeout=timeout)
        # The check below may take the place first, and then the long call is the refused one. It may also be refused
        # for the check before it, whose thread has not come back yet, so one refusal is no proof.
        while not running.done():
            if all(_refused(client) is not None for _ in range(10)):
                return running
            time.sleep(0.01)
    raise AssertionError("the server never refused a call")


def _wait_until_free(client: OfficialClient) -> None:
    _once_free(lambda: client.predict("half", {"x": X}))


def _once_free(call: Callable[[], Answer]) -> Answer:
    """What the call answers once the only place is free.

    A refusal right after another call's answer is no fault: the real server's thread needs a moment to come back.
    """
    give_up = time.monotonic() + 60
    while True:
        try:
            return call()
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED or time.monotonic() > give_up:
                raise
        time.sleep(0.01)


def test_the_deadline_stops_the_running_session(single: OfficialClient) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        single.predict("slow", {"steps": FOREVER}, timeout=0.5)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    # The only place is free again, though the loop would have gone on for weeks.
    _wait_until_free(single)


def test_a_call_within_its_deadline_is_answered(single: OfficialClient) -> None:
    answer = _once_free(lambda: single.predict("slow", {"steps": np.int32(3)}, timeout=240))
    assert answer.model_spec.name == "slow"


def test_a_call_without_a_deadline_is_answered(single: OfficialClient) -> None:
    request = predict_request("slow", {"steps": np.int32(3)})
    assert _once_free(lambda: single.prediction.Predict(request)).model_spec.name == "slow"


def test_a_call_beyond_the_limit_is_refused_as_tensorflow_serving_refuses(single: OfficialClient) -> None:
    running = _occupy(single, timeout=3)
    assert _refused(single) == "Server Threadpool Exhausted"
    assert running.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    _wait_until_free(single)


def test_calls_up_to_the_limit_run_at_the_same_time(toy_repository: Path, server_kind: str) -> None:
    with (
        serving(server_kind, toy_repository, only=["slow"], grpc_max_threads=5) as server,
        official_client(server.address) as client,
        ThreadPoolExecutor(4) as pool,
    ):
        calls = [pool.submit(client.predict, "slow", {"steps": np.int32(20)}) for _ in range(4)]
        assert [call.result().model_spec.name for call in calls] == ["slow"] * 4


def test_a_client_that_cancels_does_not_stop_the_session_but_its_deadline_does(
    single: OfficialClient,
) -> None:
    running = _occupy(single, timeout=3)
    running.cancel()
    assert _refused(single) == "Server Threadpool Exhausted"
    _wait_until_free(single)


@pytest.mark.parametrize(("length", "cut"), [(800, False), (5000, True)])
def test_a_message_over_1024_bytes_is_cut(tmp_path: Path, length: int, cut: bool, server_kind: str) -> None:
    toy_models.asserting(tmp_path, message="m" * length)
    with (
        serving(server_kind, tmp_path) as server,
        official_client(server.address) as client,
        pytest.raises(grpc.RpcError) as caught,
    ):
        client.predict("asserting", {"x": -X})
    details = caught.value.details() or ""
    assert details.startswith("assertion failed: [mmm")
    assert details.endswith("...TRUNCATED") is cut
    assert len(details.removesuffix("...TRUNCATED")) == (1024 if cut else len(details))


def test_stopping_without_grace_aborts_a_call_that_would_never_end(toy_repository: Path) -> None:
    server = LocalServer(toy_repository, only=["slow", "half"], options=ServerOptions(grpc_max_threads=2))
    server.start()
    with official_client(server.address) as client:
        running = _occupy(client)
        server.stop()
        assert running.code() in (grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE)


def test_stopping_with_grace_lets_a_running_call_finish(toy_repository: Path) -> None:
    server = LocalServer(toy_repository, only=["slow", "half"], options=ServerOptions(grpc_max_threads=2))
    server.start()
    with official_client(server.address) as client:
        running = _occupy(client, steps=LONG)
        server.stop(grace=60)
        assert running.result().model_spec.name == "slow"
