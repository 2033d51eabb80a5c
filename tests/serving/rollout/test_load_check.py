"""Loading versions in a process of their own: what is found, and what a crash there is told as."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from impasto.client.repository.manifest import Manifest
from impasto.export.repository import ModelRepository
from impasto.export.warmup import write_warmup
from impasto.serving.errors import VersionCheckError
from impasto.serving.rollout.checks import VersionChecks
from impasto.serving.rollout.load_check import Loaded, VersionOnDisk, load_each
from processes.watched_process import needs_proc
from servers.configurations import wait_for
from servers.forked_probes import fork_probes
from toys import toy_models


def of_another_contract(directory: Path) -> Path:
    """A SavedModel whose only signature, serving_default, is no model's of the contract."""
    module = tf.Module()
    query = tf.constant([0])
    module.call = tf.function(
        lambda query=query: {"wrong": query}, input_signature=[tf.TensorSpec([None], tf.int32, "query")]
    )
    tf.saved_model.save(module, str(directory), signatures={"serving_default": module.call})
    return directory


def test_signatures_records_and_differences_from_the_contract_are_found(
    committed_models: Path, upscaler_repository: Path, tmp_path: Path
) -> None:
    defaults = toy_models.defaults(tmp_path)
    write_warmup(defaults, "defaults", [("serving_default", {"x": np.ones(2, np.float32)})])
    versions = [
        VersionOnDisk("srcnn", 3, committed_models / "srcnn" / "3"),
        VersionOnDisk("upscaler-small", 1, committed_models / "srcnn" / "2"),
        VersionOnDisk("enlarger", 1, upscaler_repository / "enlarger" / "1"),
        VersionOnDisk("defaults", 1, defaults),
        VersionOnDisk("constant", 1, toy_models.constant(tmp_path)),
        VersionOnDisk("stylize", 1, of_another_contract(tmp_path / "stylize")),
        VersionOnDisk("absent", 1, tmp_path / "absent"),
    ]
    found = {version.model: loaded for version, loaded in load_each(versions, timeout=240)}
    assert found["srcnn"] == Loaded(signatures=("describe", "serving_default", "x2"), records=4)
    # The one is older than the contract of its name; the other keeps it under a name of its own.
    assert found["upscaler-small"].differences == (
        "signature 'describe' is missing",
        "one of the signatures x2, x3, x4 is missing",
    )
    assert found["enlarger"] == Loaded(signatures=("describe", "serving_default", "x3", "x4"), records=5)
    assert found["defaults"] == Loaded(signatures=("serving_default",), records=1)
    assert found["constant"] == Loaded(signatures=("serving_default",))  # x has no default
    # Not every source of the model can offer style_vector and apply, so these may be missing.
    missing = ("signature 'hub' is missing", "signature 'describe' is missing")
    assert found["stylize"].differences[:3] == (*missing, "serving_default: input 'content' is missing")
    assert all(difference.startswith("serving_default: ") for difference in found["stylize"].differences[2:])
    assert found["stylize"].called == ("serving_default",)  # all its inputs have defaults
    assert found["absent"].error is not None
    assert found["absent"].error.startswith("NOT_FOUND: ")  # the text is TensorFlow's, and changes
    assert str(tmp_path / "absent") in found["absent"].error


def test_signatures_that_the_manifest_names_must_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fork_probes(monkeypatch)
    manifest = Manifest(model="m", signatures=("serving_default", "half"))
    graph = toy_models.half_plus_two(tmp_path / "made")
    version = ModelRepository(tmp_path / "models").publish("m", graph, manifest=manifest).path
    with pytest.raises(
        VersionCheckError, match=r"does not keep the contract of m.*signature 'half' is missing"
    ):
        VersionChecks(load=True, timeout=240, say=print).check([VersionOnDisk("m", 1, version)])


def killed_child(number: int) -> None:
    """Send a signal to the child of this process that loads a version, once it is there."""

    def found() -> list[int]:
        lists = Path("/proc/self/task").glob("*/children")
        return [
            int(pid)
            for children in lists
            for pid in children.read_text().split()
            if b"load_probe" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]

    wait_for(found, "a child should load the version")
    os.kill(found()[0], number)


@needs_proc
@pytest.mark.parametrize(
    ("number", "words"),
    [
        (signal.SIGFPE, "the process that loaded it crashed (SIGFPE), as a server would"),
        (
            signal.SIGKILL,
            "the process that loaded it was killed (SIGKILL), as the system does when memory runs out",
        ),
    ],
)
def test_a_crash_is_told_of_its_version_and_the_next_one_is_loaded_all_the_same(
    tmp_path: Path, number: int, words: str
) -> None:
    slow = toy_models.slow(tmp_path)
    write_warmup(slow, "slow", [("serving_default", {"steps": 1_000_000_000})])
    good = toy_models.constant(tmp_path)
    killer = threading.Thread(target=killed_child, args=(number,))
    killer.start()
    results = load_each([VersionOnDisk("slow", 1, slow), VersionOnDisk("constant", 1, good)], timeout=240)
    crashed, loaded = [result for _, result in results]
    killer.join()
    assert crashed.error is not None and crashed.error.startswith(words)
    assert loaded == Loaded(signatures=("serving_default",))


def test_a_version_that_takes_too_long_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fork_probes(monkeypatch)
    slow = toy_models.slow(tmp_path)
    write_warmup(slow, "slow", [("serving_default", {"steps": 1_000_000_000})])
    ((_, result),) = load_each([VersionOnDisk("slow", 1, slow)], timeout=2)
    assert result.error == "it was not loaded and called within 2 seconds"
