"""Thousands of requests made wrong: the server lives, says what TensorFlow Serving would, and stays correct."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import numpy as np
import pytest
from google.protobuf.message import DecodeError
from grpc import StatusCode
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    predict_pb2,
)

from floods.flood import Outcome, send_all
from floods.mutations import altered, damaged
from floods.valid_requests import (
    METADATA,
    RELOAD,
    REQUEST_TYPES,
    STATUS,
    TOYS,
    Request,
    of_every_rank,
    reload_request,
    valid_requests,
    write_every_model,
)
from processes.command_line import ServerProcess, server_process, wait_until
from processes.watched_process import GIGABYTE, needs_proc, usage
from servers.official_stubs import PREDICT, OfficialClient, official_client, outputs

pytestmark = [pytest.mark.slow, needs_proc]

MEMORY_BOUND = 6 * GIGABYTE
"""Of the server's memory at its peak. With no request it takes 1.3 GiB; the most that one of these adds is a tiny
stylizer's run over 4,095 pictures in one batch."""

IN_FLIGHT = 16
TIMEOUT = 10.0

RESPONSE_TYPES = {
    PREDICT: predict_pb2.PredictResponse,
    METADATA: get_model_metadata_pb2.GetModelMetadataResponse,
    STATUS: get_model_status_pb2.GetModelStatusResponse,
    RELOAD: model_management_pb2.ReloadConfigResponse,
}

STATUSES = {
    PREDICT: {
        StatusCode.OK,
        StatusCode.INVALID_ARGUMENT,
        StatusCode.NOT_FOUND,
        StatusCode.FAILED_PRECONDITION,
        StatusCode.UNIMPLEMENTED,  # a kernel that is not made for tensors of this rank
        StatusCode.DEADLINE_EXCEEDED,
    },
    METADATA: {StatusCode.OK, StatusCode.INVALID_ARGUMENT, StatusCode.NOT_FOUND},
    STATUS: {StatusCode.OK, StatusCode.INVALID_ARGUMENT, StatusCode.NOT_FOUND},
    RELOAD: {
        StatusCode.OK,
        StatusCode.INVALID_ARGUMENT,
        StatusCode.FAILED_PRECONDITION,
        StatusCode.DEADLINE_EXCEEDED,  # a new model's base path may get its first version later
        StatusCode.RESOURCE_EXHAUSTED,  # two reloads are not done yet; TensorFlow Serving lets more wait
    },
}
"""What TensorFlow Serving answers to messages that parse."""


@dataclass
class Target:
    """A running server, and what it answered when nothing was wrong yet.

    Attributes:
        server: the process.
        client: a client of it.
        log: what it says on standard error.
        valid: good requests.
        answers: the bytes of their answers.
        pid: the process's number at the start.
    """

    server: ServerProcess
    client: OfficialClient
    log: Path
    valid: Sequence[Request]
    pid: int = 0
    answers: list[bytes | None] = field(default_factory=list)

    def send(self, requests: Sequence[tuple[str, bytes]], *, timeout: float = TIMEOUT) -> list[Outcome]:
        """Sends them, several at a time."""
        return send_all(self.client.channel, requests, in_flight=IN_FLIGHT, timeout=timeout)

    def answered(self) -> list[bytes | None]:
        """The answers to the good requests, now; the first call of a signature builds its functions."""
        sound = [(request.method, request.data) for request in self.valid]
        return [outcome.answer for outcome in self.send(sound, timeout=240)]

    def check_good_answer(self) -> None:
        """The next good request is answered correctly, by the same process."""
        response = self.client.predict("half", {"x": np.array([1, 2], np.float32)})
        assert outputs(response)["y"].tolist() == [2.5, 3.0]
        assert self.server.is_running
        assert self.server.pid == self.pid


@pytest.fixture(scope="module")
def repository(
    tmp_path_factory: pytest.TempPathFactory,
    committed_models: Path,
    dream_repository: Path,
    stylize_repository: Path,
    transfer_repository: Path,
) -> Path:
    others = (committed_models, dream_repository, stylize_repository, transfer_repository)
    return write_every_model(tmp_path_factory.mktemp("every"), *others)


@pytest.fixture(scope="module")
def target(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    log = tmp_path_factory.mktemp("log") / "server.log"
    with (
        server_process(repository, "-v", log=log, grpc_max_threads=2 * IN_FLIGHT) as server,
        official_client(server.address) as client,
    ):
        target = Target(server, client, log, valid_requests(client), pid=server.pid)
        target.answers = target.answered()
        assert None not in target.answers
        yield target


def check(outcomes: Sequence[Outcome]) -> None:
    """Every call ended as TensorFlow Serving would have ended it."""
    for outcome in outcomes:
        where = f"{outcome.method} {outcome.sent!r}: {outcome.code} {outcome.details}"
        if not parses(outcome):
            assert (outcome.code, outcome.details) == (StatusCode.INTERNAL, ""), where
            continue
        assert outcome.code in STATUSES[outcome.method], where
        assert "Exception" not in outcome.details, where
        assert "Traceback" not in outcome.details, where
        if outcome.answer is not None:
            RESPONSE_TYPES[outcome.method].FromString(outcome.answer)


def parses(outcome: Outcome) -> bool:
    try:
        REQUEST_TYPES[outcome.method].FromString(outcome.sent)
    except DecodeError:
        return False
    return True


def finish(target: Target) -> None:
    """Every good request still gets the very bytes that it got at first, and the process is sound."""
    target.check_good_answer()
    assert target.answered() == target.answers
    assert usage(target.pid).peak < MEMORY_BOUND
    assert "Traceback" not in target.log.read_text()


def test_tensors_of_many_ranks_in_any_input_leave_the_server_sound(target: Target) -> None:
    requests = [other for r in target.valid if r.method == PREDICT for other in of_every_rank(r.message)]
    requests = random.Random(0).sample(
        requests, len(requests) // 10
    )  # a tenth, by a seed, for the time of it
    assert len(requests) > 200
    check(target.send([(PREDICT, request.SerializeToString()) for request in requests]))
    finish(target)


def test_1500_requests_with_altered_fields_leave_the_server_sound(target: Target) -> None:
    @settings(
        max_examples=30,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.randoms(use_true_random=False))
    def flood(rng: random.Random) -> None:
        chosen = [rng.choice(target.valid) for _ in range(50)]
        check(
            target.send(
                [(r.method, altered(r.message, rng).SerializeToString(deterministic=True)) for r in chosen]
            )
        )
        target.check_good_answer()

    flood()
    finish(target)


def test_2000_requests_with_damaged_bytes_leave_the_server_sound(target: Target) -> None:
    rng = random.Random(20)
    sound = [(request.method, request.data) for request in target.valid]
    others = [data for _, data in sound]
    for _ in range(20):
        chosen = [rng.choice(sound) for _ in range(100)]
        check(target.send([(method, damaged(data, rng, others=others)) for method, data in chosen]))
        target.check_good_answer()
    finish(target)


def test_600_reloads_with_wrong_configurations_leave_the_server_sound(
    repository: Path, tmp_path: Path
) -> None:
    log = tmp_path / "server.log"
    every = Request(RELOAD, reload_request(repository, *TOYS))
    labelled = Request(RELOAD, reload_request(repository, "half", "add", version_labels={"stable": 1}))
    rng = random.Random(20)
    with (
        # Not warmed up: of all models `half` alone is called.
        server_process(
            repository, log=log, grpc_max_threads=2 * IN_FLIGHT, enable_model_warmup="false"
        ) as server,
        official_client(server.address) as client,
    ):
        target = Target(server, client, log, [every], pid=server.pid)
        target.answers = target.answered()

        def serves_half() -> bool:
            # A model that the last wrong configuration has known is not waited for, as in TensorFlow Serving; and wrong
            # ones whose callers have gone may still be on their way.
            with contextlib.suppress(grpc.RpcError):
                return bool(client.predict("half", {"x": np.array([1, 2], np.float32)}))
            return False

        for _ in range(12):
            chosen = [rng.choice((every, labelled)) for _ in range(50)]
            wrong = [
                altered(request.message, rng).SerializeToString(deterministic=True)
                if rng.random() < 0.6
                else damaged(request.data, rng)
                for request in chosen
            ]
            check(target.send([(RELOAD, data) for data in wrong], timeout=0.5))
            assert target.answered() == target.answers
            wait_until(serves_half)
            target.check_good_answer()
        finish(target)
