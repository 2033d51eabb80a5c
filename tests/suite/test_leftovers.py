"""What a failed test has started ends with it; what was there before goes on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from processes import leftovers
from processes.scripts import run_script
from processes.watched_process import needs_proc

pytestmark = needs_proc

TICK = 1 / os.sysconf("SC_CLK_TCK")
SLEEP = [sys.executable, "-c", "print('up', flush=True); import time; time.sleep(3600)"]


def started() -> subprocess.Popen[str]:
    process = subprocess.Popen(SLEEP, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


def test_processes_that_were_started_since_a_moment_are_ended_and_waited_for() -> None:
    before = started()
    try:
        time.sleep(3 * TICK)  # a quick machine's Python is up in one, and starts are told in ticks
        moment = leftovers.now()
        since = started()
        leftovers.end_processes(since=moment)
        assert since.returncode is not None and since.returncode < 0
        assert since.stdout is not None and since.stdout.closed
        assert before.poll() is None
    finally:
        before.kill()
        before.communicate()


TESTS = f"""
import subprocess

def test_fails():
    process = subprocess.Popen({SLEEP!r}, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"never"

def test_passes():
    pass
"""


def test_a_failed_test_leaves_no_process_and_the_next_one_passes(tmp_path: Path) -> None:
    (tmp_path / "test_both.py").write_text(TESTS)
    options = ["-p", leftovers.__name__, "-p", "no:cacheprovider", "-W", "error", "-c", os.devnull]
    ended = run_script(pytest, *options, "--rootdir", tmp_path, tmp_path)
    assert "1 failed, 1 passed" in ended.stdout, ended.stdout
