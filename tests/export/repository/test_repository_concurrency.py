"""Many processes and threads at once on one repository."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from impasto.client.repository.manifest import Manifest
from impasto.export.repository import ModelRepository, VersionNotFoundError
from processes.scripts import SUPPORT
from toys.toy_repository import files_of, leftovers, numbers, publish_toy, toy_files

# Waits for a line on its input, so that all begin together, and prints the numbers that it got.
PUBLISHER = """
import sys
from impasto.export.repository import ModelRepository
from toys.toy_repository import publish_toy

repository = ModelRepository(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for index in range(3):
    content = f"{sys.argv[2]}.{index}".encode()
    print(publish_toy(repository, content).number, content.decode(), flush=True)
"""


def test_eight_publishing_processes_get_distinct_consecutive_numbers(tmp_path: Path) -> None:
    repository = ModelRepository(tmp_path / "models")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PUBLISHER, str(repository.root), str(index)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": str(SUPPORT)},
        )
        for index in range(8)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    lines = [line for process in processes for line in process.communicate()[0].splitlines()]
    assert [process.returncode for process in processes] == [0] * 8
    told = {int(number): content.encode() for number, content in map(str.split, lines)}
    assert sorted(told) == numbers(repository) == list(range(1, 25))
    for version in repository.versions("toy"):
        assert files_of(version) == toy_files(told[version.number])
    assert leftovers(repository) == []


def test_eight_publishing_threads_get_distinct_consecutive_numbers(tmp_path: Path) -> None:
    repository = ModelRepository(tmp_path / "models")
    with ThreadPoolExecutor(8) as threads:
        versions = list(threads.map(lambda index: publish_toy(repository, b"%d" % index), range(24)))
    assert sorted(version.number for version in versions) == list(range(1, 25))
    for index, version in enumerate(versions):
        assert files_of(version) == toy_files(b"%d" % index)
    assert leftovers(repository) == []


def test_a_publisher_that_is_still_writing_is_not_swept_away(tmp_path: Path) -> None:
    repository = ModelRepository(tmp_path / "models")

    def write(directory: Path) -> None:
        (directory / "before").write_bytes(b"1")
        publish_toy(repository, b"quick")
        repository.prune("toy", keep=1)
        (directory / "after").write_bytes(b"2")

    slow = repository.publish("toy", write, manifest=Manifest(model="toy"))
    assert slow.number == 2
    assert files_of(slow) == {"before": b"1", "after": b"2"}


def test_a_slow_publisher_never_gets_a_number_that_was_pruned_meanwhile(tmp_path: Path) -> None:
    repository = ModelRepository(tmp_path / "models")
    publish_toy(repository, b"a")

    def write(directory: Path) -> None:
        (directory / "saved_model.pb").write_bytes(b"slow")
        publish_toy(repository, b"b")
        publish_toy(repository, b"c")
        repository.prune("toy", keep=1)

    assert repository.publish("toy", write, manifest=Manifest(model="toy")).number == 4


def test_listing_while_versions_come_and_go_meets_complete_ones_only(
    tmp_path: Path,
) -> None:
    repository = ModelRepository(tmp_path / "models")
    publish_toy(repository)
    done = threading.Event()

    def publish_and_prune() -> None:
        try:
            for index in range(60):
                publish_toy(repository, b"%d" % index)
                repository.prune("toy", keep=1 + index % 3)
        finally:
            done.set()

    verified = pruned = 0
    with ThreadPoolExecutor(1) as thread:
        work = thread.submit(publish_and_prune)
        while not done.is_set():
            versions = repository.versions("toy")
            assert versions
            for version in versions:
                try:
                    report = repository.verify("toy", version.number)
                except VersionNotFoundError:
                    pruned += 1
                else:
                    assert report.ok, str(report)
                    verified += 1
        work.result()
    assert verified > 0


def test_a_model_never_seems_to_have_no_version_while_its_only_one_is_replaced(tmp_path: Path) -> None:
    repository = ModelRepository(tmp_path / "models")
    publish_toy(repository)
    with ThreadPoolExecutor(1) as thread:
        work = thread.submit(replace_often, repository)
        while not work.done():
            assert repository.versions("toy")
        work.result()


def replace_often(repository: ModelRepository) -> None:
    for _ in range(100):
        publish_toy(repository)
        repository.prune("toy", keep=1)


@pytest.mark.parametrize("keep", [1, 3])
def test_pruners_and_publishers_at_once_leave_the_newest_versions(tmp_path: Path, keep: int) -> None:
    repository = ModelRepository(tmp_path / "models")
    publish_toy(repository)
    with ThreadPoolExecutor(4) as threads:
        jobs: list[Future[object]] = [threads.submit(publish_toy, repository) for _ in range(20)]
        jobs += [threads.submit(repository.prune, "toy", keep=keep) for _ in range(20)]
        for job in jobs:
            job.result()
    repository.prune("toy", keep=keep)
    assert numbers(repository) == list(range(22 - keep, 22))
