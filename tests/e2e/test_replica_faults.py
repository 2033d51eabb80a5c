"""One replica after the other is killed in the middle of a call; the job goes on and its picture is the same."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from images.pictures import pixels
from impasto.client import Client, Dream, Transfer
from processes.command_line import ServerProcess

pytestmark = pytest.mark.slow

Steps = Generator[Any, None, Image.Image]


@dataclass(frozen=True)
class LongJob:
    """A job of a second or more in calls of some tenths.

    Attributes:
        steps: starts it.
        total: its steps.
    """

    steps: Callable[[Client], Steps]
    total: int


JOBS = {
    "dream": LongJob(lambda client: client.iterate(Dream(pixels(90, 120), steps=100, octaves=[-1, 0])), 200),
    "transfer": LongJob(
        lambda client: client.iterate(
            Transfer(
                pixels(64, 96),
                255 - pixels(96, 60, seed=1),
                epochs=3,
                steps_per_epoch=20,
                pyramid=2,
                recipe="classic",
            )
        ),
        120,
    ),
}

# A transfer goes on after a fault by the same code as a dream, which both servers show; it takes longer to build.
NAMES = ("dream", pytest.param("transfer", marks=pytest.mark.local_server_only("a dream shows it")))


@pytest.fixture(scope="module", params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def several_threads() -> Iterator[None]:
    """Operations that are shared among threads, as on a user's machine: the pictures must be the same nonetheless."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TF_NUM_INTRAOP_THREADS", "2")
        yield


@pytest.fixture(scope="module")
def replicas(
    dream_repository: Path,
    transfer_repository: Path,
    several_threads: None,
    server_kind: str,
    name: str,
) -> Iterator[tuple[ServerProcess, ServerProcess]]:
    models = {"dream": dream_repository, "transfer": transfer_repository}[name]
    # Not warmed up: each start would build what no test here calls.
    cold: dict[str, Any] = {"kind": server_kind, "enable_model_warmup": "false"}
    servers = ServerProcess(models, **cold), ServerProcess(models, **cold)
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
def undisturbed(replicas: tuple[ServerProcess, ServerProcess], name: str) -> Any:
    """The picture of the job, made once, by a server that nobody kills."""
    one, _ = replicas
    one.ensure_running()
    with Client(one.address) as client:
        *_, last = JOBS[name].steps(client)
    return np.asarray(last.preview())


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
    name: str,
    replicas: tuple[ServerProcess, ServerProcess],
    killer: Killer,
    undisturbed: Any,
) -> None:
    job = JOBS[name]
    one, other = replicas
    for server in replicas:
        server.ensure_running()
    # The one that goes on, the one that is killed, and after how many steps.
    turns = [(other, one, job.total // 8), (one, other, job.total // 2)]
    with Client(f"{one.address},{other.address}") as client:
        for progress in job.steps(client):
            if turns and progress.done >= turns[0][2]:
                survivor, victim, _ = turns.pop(0)
                killer.join()
                survivor.wait_ready()
                killer.kill(victim)
    killer.join()
    assert not turns
    assert progress.done == job.total
    assert np.array_equal(np.asarray(progress.preview()), undisturbed)


# What a client does then is the same for a transfer, whose server takes longer to build.
@pytest.mark.parametrize("name", ["dream"], indirect=True)
def test_both_replicas_killed_at_once_and_started_again_leave_no_trace(
    name: str,
    replicas: tuple[ServerProcess, ServerProcess],
    killer: Killer,
    undisturbed: Any,
) -> None:
    job = JOBS[name]
    one, other = replicas
    for server in replicas:
        server.ensure_running()
    killed_at = None
    with Client(f"{one.address},{other.address}") as client:
        for progress in job.steps(client):
            if killed_at is None and progress.done >= job.total // 3:
                killed_at = progress.done
                killer.kill(one)
                killer.kill(other)
    killer.join()
    assert killed_at is not None
    assert killed_at < job.total
    assert np.array_equal(np.asarray(progress.preview()), undisturbed)
