"""One replica after the other is killed in the middle of a call; the job goes on and its picture is the same."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from images.pictures import pixels
from impasto.client import Client, Dream
from processes.command_line import ServerProcess

pytestmark = pytest.mark.slow

# Of a second or more, in calls of some tenths. A transfer goes on after a fault by the same code, and its server takes
# longer to build: test_transfer_faults.py.
JOB = Dream(pixels(90, 120), steps=100, octaves=[-1, 0])
STEPS = 200


@pytest.fixture(scope="module")
def several_threads() -> Iterator[None]:
    """Operations that are shared among threads, as on a user's machine: the pictures must be the same nonetheless."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TF_NUM_INTRAOP_THREADS", "2")
        yield


@pytest.fixture(scope="module")
def replicas(
    dream_repository: Path, several_threads: None, server_kind: str
) -> Iterator[tuple[ServerProcess, ServerProcess]]:
    # Not warmed up: each start would build what no test here calls.
    cold: dict[str, Any] = {"kind": server_kind, "enable_model_warmup": "false"}
    servers = ServerProcess(dream_repository, **cold), ServerProcess(dream_repository, **cold)
    try:
        for server in servers:  # side by side: each needs some seconds until it listens
            server.start()
        for server in servers:
            server.wait_ready()
        yield servers
    finally:
        for server in servers:
            server.stop()


@pytest.fixture(scope="module")
def undisturbed(replicas: tuple[ServerProcess, ServerProcess]) -> Any:
    """The picture of the job, made once, by a server that nobody kills."""
    one, _ = replicas
    one.ensure_running()
    with Client(one.address) as client:
        return np.asarray(client.run(JOB))


class Killer:
    """Kills a server at a random moment of the next call; another starts in its place."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._timers: list[threading.Timer] = []

    def kill(self, server: ServerProcess) -> None:
        """Soon, from a thread."""

        def replace() -> None:
            server.kill()
            server.start()

        timer = threading.Timer(self._random.uniform(0.0, 0.1), replace)
        self._timers.append(timer)
        timer.start()

    def join(self) -> None:
        """Waits until every server that was to be killed has been."""
        for timer in self._timers:
            timer.join()


@pytest.fixture
def killer(request: pytest.FixtureRequest) -> Iterator[Killer]:
    """Also where a test fails, the servers that it was about to kill are started again, and so can be ended."""
    killer = Killer(seed=len(request.node.name))
    yield killer
    killer.join()


def test_each_of_two_replicas_killed_in_turn_leaves_no_trace(
    replicas: tuple[ServerProcess, ServerProcess],
    killer: Killer,
    undisturbed: Any,
) -> None:
    one, other = replicas
    for server in replicas:
        server.ensure_running()
    # The one that goes on, the one that is killed, and after how many steps.
    turns = [(other, one, STEPS // 8), (one, other, STEPS // 2)]
    with Client(f"{one.address},{other.address}") as client:
        for progress in client.iterate(JOB):
            if turns and progress.done >= turns[0][2]:
                survivor, victim, _ = turns.pop(0)
                killer.join()
                survivor.wait_ready()
                killer.kill(victim)
    killer.join()
    assert not turns
    assert progress.done == STEPS
    assert np.array_equal(np.asarray(progress.preview()), undisturbed)


def test_both_replicas_killed_at_once_and_started_again_leave_no_trace(
    replicas: tuple[ServerProcess, ServerProcess],
    killer: Killer,
    undisturbed: Any,
) -> None:
    one, other = replicas
    for server in replicas:
        server.ensure_running()
    killed_at = None
    with Client(f"{one.address},{other.address}") as client:
        for progress in client.iterate(JOB):
            if killed_at is None and progress.done >= STEPS // 3:
                killed_at = progress.done
                killer.kill(one)
                killer.kill(other)
    killer.join()
    assert killed_at is not None
    assert killed_at < STEPS
    assert np.array_equal(np.asarray(progress.preview()), undisturbed)
