"""Whatever is killed when, a version is complete or absent, and the next publisher works and cleans up."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from impasto.export.repository import ModelRepository
from processes import killed_at
from processes.scripts import run_script
from toys.toy_repository import files_of, leftovers, numbers, publish_toy, toy_files

# Publishes for ever, each version of 20 files, and tells of each file that it wrote and each version that it made.
PUBLISHER = """
import sys
from impasto.client.repository.manifest import Manifest
from impasto.export.repository import ModelRepository

def write(directory):
    for index in range(20):
        (directory / f"file{index}").write_bytes(b"x" * 4000)
        print("file", flush=True)

repository = ModelRepository(sys.argv[1])
while True:
    repository.publish("toy", write, manifest=Manifest(model="toy"))
    print("version", flush=True)
"""


def kill_at_every_step(action: str, directory: Path) -> list[ModelRepository]:
    """The repositories that `action` left when it was killed at its 1st, 2nd, ... step."""
    template = ModelRepository(directory / "template")
    for content in (b"a", b"b", b"c"):
        publish_toy(template, content)
    run = run_script(killed_at, action, directory)
    run.check_returncode()
    return [ModelRepository(directory / str(step + 1)) for step in range(int(run.stdout))]


@pytest.mark.parametrize("action", ["publish", "prune", "roll_back"])
def test_every_version_is_complete_at_whatever_step_a_process_is_killed(tmp_path: Path, action: str) -> None:
    expected = {1: b"a", 2: b"b", 3: b"c", 4: b"new" if action == "publish" else b"b"}
    left = kill_at_every_step(action, tmp_path)
    assert len(left) > 20
    for repository in left:
        versions = repository.versions("toy")
        assert {3} <= {version.number for version in versions} <= set(expected)
        for version in versions:
            assert repository.verify("toy", version.number).ok
            assert files_of(version) == toy_files(expected[version.number])


@pytest.mark.parametrize("action", ["publish", "prune", "roll_back"])
def test_the_next_publisher_takes_the_next_number_and_removes_what_was_left(
    tmp_path: Path, action: str
) -> None:
    left = kill_at_every_step(action, tmp_path)
    assert any(leftovers(repository) for repository in left)
    for repository in left:
        before = numbers(repository)
        assert publish_toy(repository, b"next").number == before[-1] + 1
        assert leftovers(repository) == []
        assert files_of(repository.latest("toy")) == toy_files(b"next")


def test_a_publisher_killed_at_random_moments_never_shows_half_a_version(tmp_path: Path) -> None:
    repository = ModelRepository(tmp_path / "models")
    moments = random.Random(0)
    told = 0
    for _ in range(10):
        command = [sys.executable, "-c", PUBLISHER, str(repository.root)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as publisher:
            assert publisher.stdout is not None
            # Counted rather than timed, so that a slow machine kills as far into the work as a fast one.
            lines = [publisher.stdout.readline() for _ in range(moments.randint(1, 60))]
            publisher.send_signal(signal.SIGKILL)
            lines += publisher.stdout.readlines()
        told += lines.count("version\n")
        for version in repository.versions("toy"):
            report = repository.verify("toy", version.number)
            assert report.ok, str(report)
            assert len(files_of(version)) == 20
    assert told > 0
    # A publisher killed between the rename and its word has made one more.
    assert len(numbers(repository)) >= told
    assert numbers(repository) == list(range(1, len(numbers(repository)) + 1))
    publish_toy(repository)
    assert leftovers(repository) == []
