"""64 clients call one server again and again: no call fails, and nobody's memory grows."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from processes import many_clients
from processes.command_line import server_process
from processes.scripts import run_script
from processes.watched_process import needs_proc

pytestmark = [pytest.mark.slow, needs_proc]

CLIENTS = 64
STRETCHES = 6
CALLS = 30
"""Of each client in each stretch."""

LEAK = 1024 * CLIENTS * CALLS
"""Bytes that a leak of 1 kB a call adds in a stretch."""


def usual_growth(figures: Sequence[int]) -> float:
    """What the median of the later stretches adds.

    A leak adds in every stretch. What is made once, at a moment that depends on the machine (a pool's threads, an
    allocator's arenas, an answer's first large tensor), adds in few of them, and less and less.
    """
    return statistics.median([after - before for before, after in pairwise(figures)][STRETCHES // 2 :])


def test_64_clients_at_once_meet_no_error_and_nothing_grows(
    tmp_path: Path, toy_repository: Path, committed_models: Path
) -> None:
    (tmp_path / "models").mkdir()
    for model in (
        toy_repository / "half",
        toy_repository / "add",
        toy_repository / "echo",
        committed_models / "srcnn",
    ):
        (tmp_path / "models" / model.name).symlink_to(model)
    log = tmp_path / "server.log"
    with server_process(tmp_path / "models", log=log, grpc_max_threads=CLIENTS + 1) as server:
        crowd = run_script(many_clients, server.address, server.pid, CLIENTS, STRETCHES, CALLS)
        assert crowd.returncode == 0, crowd.stderr
        assert server.is_running

    report = json.loads(crowd.stdout)
    assert report["wrong"] == []
    assert len(report["right"]) == CLIENTS
    for right in report["right"]:
        assert min(right.values()) > 0
    for side in ("server", "clients"):
        resident, threads, descriptors = (
            [moment[name] for moment in report[side]] for name in ("resident", "threads", "descriptors")
        )
        assert usual_growth(resident) < LEAK, (side, resident)
        assert usual_growth(threads) < CLIENTS / 2, (side, threads)
        assert usual_growth(descriptors) < CLIENTS / 2, (side, descriptors)
    assert "Traceback" not in log.read_text()
