"""Processes are killed in the middle of a dream; the picture is the same as if nothing had happened."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from images.pictures import load, pixels, save
from impasto.client import Client, Dream
from impasto.client._jobs.checkpoint import CheckpointFile
from impasto.client.cli import exit_codes
from processes.command_line import ServerProcess, impasto, server_process, wait_until
from processes.killed_clients import kill_again_and_again
from scripted.altering_proxy import slowed
from servers.model_servers import ModelServer, serving

PICTURE = pixels(48, 60)
OPTIONS: dict[str, Any] = {"steps": 100, "octaves": [-1, 0], "tile": 30}


@pytest.fixture(scope="module")
def undisturbed(dream_server: ModelServer) -> NDArray[np.uint8]:
    with Client(dream_server.address) as client:
        return np.asarray(client.dream(PICTURE, **OPTIONS))


@pytest.fixture(scope="module")
def one_server(dream_repository: Path, server_kind: str) -> Iterator[ServerProcess]:
    # Not warmed up: each start would build what no test here calls.
    with server_process(dream_repository, kind=server_kind, enable_model_warmup="false") as server:
        yield server


@pytest.fixture
def server(one_server: ServerProcess) -> ServerProcess:
    """A running server, to be killed as one likes."""
    one_server.ensure_running()
    return one_server


@pytest.mark.parametrize("seconds_into_a_call", [0.0, 0.03])
def test_a_server_killed_in_the_middle_and_started_again_leaves_no_trace(
    server: ServerProcess, undisturbed: NDArray[np.uint8], seconds_into_a_call: float
) -> None:
    def replace() -> None:
        server.kill()
        server.start()

    killer = threading.Timer(seconds_into_a_call, replace)
    with Client(server.address) as client:
        for progress in client.iterate(Dream(PICTURE, **OPTIONS), every=25):
            if progress.done == 75:
                killer.start()
                if seconds_into_a_call == 0.0:
                    killer.join()
    killer.join()
    assert np.array_equal(np.asarray(progress.preview()), undisturbed)


def test_a_second_replica_goes_on_where_the_killed_one_stopped(
    server: ServerProcess, dream_server: ModelServer, undisturbed: NDArray[np.uint8]
) -> None:
    with Client(f"{server.address},{dream_server.address}") as client:
        for progress in client.iterate(Dream(PICTURE, **OPTIONS), every=25):
            if progress.done == 75:
                server.kill()
    assert np.array_equal(np.asarray(progress.preview()), undisturbed)


@pytest.mark.local_server_only("what a killed client left, and makes of it; the server lives on")
def test_a_client_killed_again_and_again_goes_on_from_its_checkpoint(
    dream_server: ModelServer, tmp_path: Path
) -> None:
    photo, point, result = tmp_path / "photo.png", tmp_path / "point", tmp_path / "dream.png"
    save(photo, PICTURE)
    steps = 200
    options = ["--checkpoint", str(point), "--steps", str(steps), "--octaves", "-1,0"]

    def steps_done() -> int:
        found = CheckpointFile(point).read()
        return 0 if found is None else found.position["stage"] * steps + found.position["step"]

    with slowed(dream_server.address, seconds=0.02) as server:

        def dream() -> subprocess.Popen[str]:
            return impasto("dream", photo, "-o", result, *options, server=server)

        kill_again_and_again(dream, steps_done, result, steps=2 * steps)
        process = dream()
        _, err = process.communicate()
        assert process.returncode == exit_codes.DONE, err
    with Client(dream_server.address) as client:
        whole = client.dream(photo, steps=steps, octaves=[-1, 0])
    assert np.array_equal(np.asarray(load(result)), np.asarray(whole))
    assert not point.exists()


def test_a_dream_that_cannot_go_on_leaves_the_picture_so_far(
    dream_repository: Path, tmp_path: Path, server_kind: str
) -> None:
    models = tmp_path / "models"
    shutil.copytree(dream_repository, models)
    photo, result = tmp_path / "photo.png", tmp_path / "dream.png"
    save(photo, PICTURE)
    cold: dict[str, Any] = {"enable_model_warmup": "false"}  # each start would build what is not called here
    with serving(server_kind, models, **cold) as server:
        options = ["--every", "100", "--steps", "100000000", "--octaves", "0"]
        process = impasto("dream", photo, "-o", result, *options, server=server.address)
        wait_until((tmp_path / "dream-00100.png").exists)
    (models / "dream" / "1").rename(models / "dream" / "2")
    with serving(server_kind, models, port=server.port, **cold):
        _, err = process.communicate()
    assert process.returncode == exit_codes.REFUSED, err
    *_, so_far, why = err.splitlines()  # before them, for whom it waited if that took long
    assert so_far.endswith(f"of 100000000; the picture so far is in {result}")
    assert why.startswith("impasto: version 1 of dream, with which this job began, is no longer served")
    assert not np.array_equal(np.asarray(load(result)), PICTURE)
