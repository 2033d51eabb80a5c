"""Processes are killed in the middle of a transfer; the picture is the same as if nothing had happened."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from images.pictures import load, pixels, save
from impasto.client import Client, Transfer
from impasto.client._jobs.checkpoint import CheckpointFile
from impasto.client.cli import exit_codes
from processes.command_line import ServerProcess, impasto, server_process
from processes.killed_clients import kill_again_and_again
from scripted.altering_proxy import slowed

LOCAL_SERVER_ONLY = "what a transfer makes of a fault; test_dream_faults.py has both servers killed"

CONTENT, STYLE = pixels(32, 48), 255 - pixels(48, 32, seed=1)


@pytest.fixture(scope="module")
def server(transfer_repository: Path, server_kind: str) -> Iterator[ServerProcess]:
    # Not warmed up: each start would build what no test here calls.
    with server_process(transfer_repository, kind=server_kind, enable_model_warmup="false") as server:
        yield server


@pytest.mark.parametrize("seconds_into_a_call", [0.0, 0.03])
def test_a_server_killed_in_the_middle_and_started_again_leaves_no_trace(
    server: ServerProcess, seconds_into_a_call: float
) -> None:
    def replace() -> None:
        server.kill()
        server.start()

    server.ensure_running()
    options: dict[str, Any] = {"epochs": 2, "steps_per_epoch": 20, "pyramid": 2}
    killer = threading.Timer(seconds_into_a_call, replace)
    with Client(server.address) as client:
        undisturbed = client.transfer(CONTENT, STYLE, **options)
        for progress in client.iterate(Transfer(CONTENT, STYLE, **options), every=10):
            if progress.done == 60:
                killer.start()
                if seconds_into_a_call == 0.0:
                    killer.join()
    killer.join()
    assert np.array_equal(np.asarray(progress.preview()), np.asarray(undisturbed))


def test_a_client_killed_again_and_again_goes_on_from_its_checkpoint(
    server: ServerProcess, tmp_path: Path
) -> None:
    server.ensure_running()
    photo, style = save(tmp_path / "photo.png", CONTENT), save(tmp_path / "style.png", STYLE)
    point, result = tmp_path / "point", tmp_path / "out.png"
    steps = 300
    options = ["--epochs", "1", "--steps-per-epoch", str(steps), "--checkpoint", str(point)]

    def transfer(address: str) -> subprocess.Popen[str]:
        return impasto("transfer", photo, "-s", style, "-o", result, *options, server=address)

    def steps_done() -> int:
        found = CheckpointFile(point).read()
        return 0 if found is None else found.position["stage"] * steps + found.position["step"]

    with slowed(server.address, seconds=0.02) as slow:
        kill_again_and_again(lambda: transfer(slow), steps_done, result, steps=steps)
    server.kill()
    server.ensure_running()
    process = transfer(server.address)
    _, err = process.communicate()
    assert process.returncode == exit_codes.DONE, err
    with Client(server.address) as client:
        whole = client.transfer(photo, style, epochs=1, steps_per_epoch=steps)
    assert np.array_equal(np.asarray(load(result)), np.asarray(whole))
    assert not point.exists()
