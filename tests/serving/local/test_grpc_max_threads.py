"""`--grpc_max_threads=N`: N-1 calls at once, as on a real TensorFlow Serving; health checks are not counted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from servers.configurations import wait_for
from servers.model_servers import serving
from servers.official_stubs import TIMEOUT, OfficialClient, official_client, predict_request

X = np.zeros(1, np.float32)
FOREVER = np.int32(2**31 - 1)


@contextmanager
def started(kind: str, toy_repository: Path, threads: int | None) -> Iterator[OfficialClient]:
    with (
        serving(kind, toy_repository, only=["slow", "half"], grpc_max_threads=threads) as server,
        official_client(server.address) as client,
    ):
        yield client


def refusal(client: OfficialClient) -> tuple[grpc.StatusCode, str] | None:
    """Code and text of the refusal of a quick call; None if it was answered.

    Endless calls may keep every thread that computes. A quick call that was let in beside them then waits for ever,
    in the place of one of theirs, so it has a deadline.
    """
    try:
        client.predict("half", {"x": X}, timeout=5)
    except grpc.RpcError as error:
        return error.code(), str(error.details())
    return None


REFUSED = (grpc.StatusCode.RESOURCE_EXHAUSTED, "Server Threadpool Exhausted")


def is_healthy(client: OfficialClient) -> bool:
    stub = health_pb2_grpc.HealthStub(client.channel)
    response = stub.Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT)
    return bool(response.status == health_pb2.HealthCheckResponse.SERVING)


class Crowd:
    """As many endless calls as should be answered at once."""

    def __init__(self, client: OfficialClient, size: int) -> None:
        self._client = client
        self._size = size
        self._calls: list[Any] = []

    def fills_the_server(self) -> bool:
        """Whether all of them run and one more is refused. One that was refused itself is sent again."""
        self._calls = [call for call in self._calls if not call.done()]
        is_whole = len(self._calls) == self._size
        while len(self._calls) < self._size:
            request = predict_request("slow", {"steps": FOREVER})
            self._calls.append(self._client.prediction.Predict.future(request))
        return refusal(self._client) == REFUSED and is_whole

    def cancel(self) -> None:
        for call in self._calls:
            call.cancel()


@pytest.mark.parametrize("threads", [2, 4, None], ids=["2", "4", "default"])
def test_one_call_fewer_than_the_threads_is_answered_at_once(
    toy_repository: Path, threads: int | None, server_kind: str
) -> None:
    with started(server_kind, toy_repository, threads) as client:
        crowd = Crowd(client, (threads or 4 * (os.cpu_count() or 1)) - 1)
        try:
            # A quick call may take the place of an endless one, so once is no proof.
            wait_for(lambda: all(crowd.fills_the_server() for _ in range(10)), "the server should be full")
            assert is_healthy(client)
        finally:
            crowd.cancel()


def test_one_thread_refuses_every_call_but_health_checks(toy_repository: Path, server_kind: str) -> None:
    with started(server_kind, toy_repository, 1) as client:
        assert refusal(client) == REFUSED
        with pytest.raises(grpc.RpcError) as caught:
            client.status("half")
        assert (caught.value.code(), caught.value.details()) == REFUSED
        assert is_healthy(client)
