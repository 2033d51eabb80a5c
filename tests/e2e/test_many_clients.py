"""64 clients call one server for a minute: no call fails, and nobody's memory grows."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import toy_models
from dream_processes import server_process
from watched_process import MEGABYTE, needs_proc, usage

pytestmark = [pytest.mark.slow, needs_proc]

CLIENTS = 64
SECONDS = 60.0
SETTLED = 15.0
"""Seconds after which everything that is kept has been made."""

SERVER_GROWTH = 32 * MEGABYTE
CLIENT_GROWTH = 16 * MEGABYTE
"""Bounds on the memory that is added between then and the end. A leak of 1 kB a call would add more than that."""

SUPPORT = Path(__file__).parent.parent / "support"


def test_64_clients_at_once_for_a_minute_meet_no_error_and_nothing_grows(
    tmp_path: Path, committed_models: Path
) -> None:
    for write in (toy_models.half_plus_two, toy_models.add, toy_models.echo):
        write(tmp_path / "models")
    (tmp_path / "models" / "srcnn").symlink_to(committed_models / "srcnn")
    log = tmp_path / "server.log"
    with server_process(tmp_path / "models", log=log, grpc_max_threads=CLIENTS + 1) as server:
        arguments = [server.address, str(CLIENTS), str(SECONDS), str(SETTLED)]
        crowd = subprocess.Popen(
            [sys.executable, str(SUPPORT / "many_clients.py"), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        time.sleep(SETTLED)
        begin = usage(server.pid)
        time.sleep(SECONDS - SETTLED - 2)
        end = usage(server.pid)
        out, err = crowd.communicate(timeout=120)
        assert crowd.returncode == 0, err
        assert server.is_running

    report: list[dict[str, Any]] = json.loads(out)
    assert len(report) == CLIENTS
    assert [wrong for client in report for wrong in client["wrong"]] == []
    for client in report:
        assert min(client["right"].values()) > 0
        assert client["end"]["resident"] - client["begin"]["resident"] < CLIENT_GROWTH
        assert client["end"]["threads"] <= client["begin"]["threads"] + 2
        assert client["end"]["descriptors"] <= client["begin"]["descriptors"] + 2
    assert end.resident - begin.resident < SERVER_GROWTH
    assert end.threads <= begin.threads + 8
    assert end.descriptors <= begin.descriptors + 8
    assert "Traceback" not in log.read_text()
