"""A server that takes too long: the deadline holds, and the server is usable afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from images.pictures import load, pixels, save
from impasto.client import Client
from impasto.client._jobs.checkpoint import CheckpointFile
from impasto.client.cli import exit_codes
from impasto.client.errors import DeadlineExceeded, ServerUnavailable
from processes.command_line import ServerProcess, impasto, server_process, wait_until
from processes.watched_process import computing_seconds, needs_proc
from toys import dream_models, toy_models

LOCAL_SERVER_ONLY = "a frozen process is no server of either kind; test_deadlines_and_limits.py asks both"

pytestmark = pytest.mark.slow

TIMEOUT = 0.5
SLACK = 120.0
"""Seconds beyond the deadline that a busy machine is given. Without a deadline the calls would take weeks."""

FOREVER = 10**7
"""Steps that take hours; a dream keeps a number for each."""
X = np.array([1], np.float32)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, server_kind: str) -> Iterator[ServerProcess]:
    models = tmp_path_factory.mktemp("models")
    toy_models.half_plus_two(models)
    toy_models.slow(models)
    dream_models.write_dream(models, limits=replace(dream_models.LIMITS, maximum_steps=FOREVER))
    with server_process(models, kind=server_kind) as server:
        yield server


@pytest.fixture
def server(running: ServerProcess) -> Iterator[ServerProcess]:
    """The server, which goes on in the end whatever a test did to it."""
    try:
        yield running
    finally:
        running.thaw()


def seconds(act: Callable[[], object]) -> float:
    """How long something takes."""
    started = time.monotonic()
    act()
    return time.monotonic() - started


def assert_answers(server: ServerProcess) -> None:
    with Client(server.address) as client:
        assert client.predict("half", {"x": X}, outputs=["y"])["y"].tolist() == [2.5]


def assert_too_late(act: Callable[[], object]) -> None:
    """It raises DeadlineExceeded at its deadline, not before and not much later."""

    def fail() -> None:
        with pytest.raises(DeadlineExceeded, match="did not answer in time"):
            act()

    assert TIMEOUT - 0.1 < seconds(fail) < TIMEOUT + SLACK


@pytest.mark.parametrize("connected", [False, True], ids=["a new client", "a client that is connected"])
def test_a_call_to_a_frozen_server_ends_at_its_deadline(server: ServerProcess, connected: bool) -> None:
    with Client(server.address, timeout=TIMEOUT) as client:
        if connected:
            client.status("half")
        server.freeze()
        assert_too_late(lambda: client.predict("half", {"x": X}))
        assert_too_late(lambda: client.metadata("half"))
        assert_too_late(lambda: client.status("half"))
        server.thaw()
        assert client.predict("half", {"x": X}, timeout=240)["y"].tolist() == [2.5]
    assert_answers(server)


def test_waiting_for_a_frozen_server_ends_in_time(server: ServerProcess) -> None:
    server.freeze()
    with Client(server.address) as client:

        def wait() -> None:
            with pytest.raises(ServerUnavailable, match=f"within {TIMEOUT} seconds"):
                client.wait_ready(timeout=TIMEOUT)

        assert seconds(wait) < 2 * TIMEOUT + SLACK
        server.thaw()
        client.wait_ready(timeout=240, models=["half"])


@needs_proc
@pytest.mark.parametrize(
    ("model", "inputs"),
    [
        ("slow", {"steps": np.int32(FOREVER)}),
        ("dream", {"image": pixels(90, 120), "steps": np.int32(FOREVER), "octaves": np.array([0], np.int32)}),
    ],
    ids=["a loop", "a dream"],
)
def test_a_graph_that_runs_on_is_stopped_at_the_deadline_of_its_call(
    server: ServerProcess, model: str, inputs: dict[str, object]
) -> None:
    with Client(server.address, timeout=TIMEOUT) as client:
        assert_too_late(lambda: client.predict(model, inputs))
    assert_answers(server)

    def is_idle() -> bool:
        before = computing_seconds(server.pid)
        time.sleep(1.0)
        return computing_seconds(server.pid) - before < 0.2

    wait_until(is_idle)


@pytest.mark.parametrize(
    "arguments",
    [["status", "half"], ["upscale", "photo.png", "-o", "out.png"], ["dream", "photo.png", "-o", "out.png"]],
    ids=lambda arguments: arguments[0],
)
def test_a_command_gives_up_at_its_timeout_and_says_so(
    server: ServerProcess, tmp_path: Path, arguments: list[str]
) -> None:
    save(tmp_path / "photo.png")
    paths = [str(tmp_path / word) if word.endswith(".png") else word for word in arguments]
    server.freeze()
    process = impasto(*paths, "--timeout", str(TIMEOUT), server=server.address)
    out, err = process.communicate()
    assert process.returncode == exit_codes.UNREACHABLE
    assert out == ""
    assert err.startswith("impasto: ")
    assert f"at {server.address} did not answer in time" in err
    assert len(err.splitlines()) == 1
    server.thaw()
    assert_answers(server)


def test_a_dream_on_a_server_that_freezes_keeps_what_it_has_and_goes_on_later(
    server: ServerProcess, tmp_path: Path
) -> None:
    photo, point = save(tmp_path / "photo.png", pixels(24, 32)), tmp_path / "point"
    so_far, result = tmp_path / "so-far.png", tmp_path / "dream.png"
    options = ["--steps", "400", "--octaves", "-1,0", "--checkpoint", str(point), "--timeout", "10"]
    with Client(server.address) as client:
        client.dream(photo, steps=1, octaves=[-1, 0])  # the first call of a signature takes long

    process = impasto("dream", photo, "-o", so_far, "--every", "100", *options, server=server.address)
    wait_until((tmp_path / "so-far-00100.png").exists)
    server.freeze()
    _, err = process.communicate()
    assert process.returncode == exit_codes.UNREACHABLE, err
    assert "did not answer in time" in err
    assert f"the same command goes on from {point}" in err
    assert load(so_far).size == (32, 24)
    kept = CheckpointFile(point).read()
    assert kept is not None and kept.position["stage"] * 400 + kept.position["step"] >= 100

    server.thaw()
    process = impasto("dream", photo, "-o", result, *options, server=server.address)
    _, err = process.communicate()
    assert process.returncode == exit_codes.DONE, err
    with Client(server.address) as client:
        whole = client.dream(photo, steps=400, octaves=[-1, 0])
    assert np.array_equal(np.asarray(load(result)), np.asarray(whole))
