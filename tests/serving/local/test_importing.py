"""TensorFlow as a server has it: it keeps its memory, and repeats its results on a GPU, unless somebody decided."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import grpc
import numpy as np
import pytest

from impasto.serving import LocalServer
from impasto.serving.importing import ALLOCATOR, SWITCH
from servers.model_servers import KINDS, ServerProcess
from servers.official_stubs import official_client, outputs
from toys import toy_models

X = np.zeros(8, np.float32)
UNSEEDED = "When determinism is enabled, random ops must have a seed specified."

DECISIONS = f"""
import logging, os
from impasto.serving.importing import decide
logging.basicConfig(format="said: %(message).60s")
from tensorflow.python.framework.config import is_op_determinism_enabled as on
decide(on_gpu=False, is_ours=True)
print("a processor", on())
decide(on_gpu=True, is_ours=False)
print("somebody else's TensorFlow", on())
os.environ[{SWITCH!r}] = "0"
decide(on_gpu=True, is_ours=True)
print("switched off", on())
del os.environ[{SWITCH!r}]
decide(on_gpu=True, is_ours=True)
print("a GPU", on())
decide(on_gpu=True, is_ours=False)
"""

FAULTS = """
import resource, sys
from impasto.serving.importing import import_tensorflow
if sys.argv[1] == "ours":
    import_tensorflow()
import tensorflow as tf
import_tensorflow()

@tf.function
def large(side):
    return tf.reduce_sum(tf.sqrt(tf.fill([side, side], 2.0)))

def faults():
    large(tf.constant(4096))
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

faults()
before = faults()
print(faults() - before)
"""
"""Prints how many pages the system had to give to a computation with tensors of 64 MB that was done before."""

PAGES = (64 << 20) // resource.getpagesize()


def _faults(whose: str, **variables: str) -> int:
    environment = {name: value for name, value in os.environ.items() if name != ALLOCATOR} | variables
    # With oneDNN, TensorFlow keeps memory whatever the variable says.
    environment["TF_ENABLE_ONEDNN_OPTS"] = "0"
    command = [sys.executable, "-c", FAULTS, whose]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return int(done.stdout)


def test_a_tensor_takes_the_memory_of_the_one_before() -> None:
    assert _faults("ours") < PAGES / 4


@pytest.mark.skipif(sys.platform != "linux", reason="how other systems give memory back is not known here")
def test_whoever_imports_tensorflow_or_sets_the_variable_decides_about_memory() -> None:
    assert _faults("theirs") > PAGES / 2
    assert _faults("ours", **{ALLOCATOR: "false"}) > PAGES / 2


@pytest.mark.parametrize("kind", KINDS)
def test_by_the_switch_both_servers_refuse_what_cannot_repeat_and_say_why(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy_models.random(tmp_path)
    toy_models.half_plus_two(tmp_path)
    monkeypatch.setenv(SWITCH, "1")
    server = ServerProcess(tmp_path, kind=kind)
    server.ensure_running()
    try:
        with official_client(server.address) as client:
            assert outputs(client.predict("half", {"x": X}))["y"].tolist() == [2.0] * 8
            with pytest.raises(grpc.RpcError) as caught:
                client.predict("random", {"x": X})
    finally:
        server.stop()
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert UNSEEDED in str(caught.value.details())


def test_on_a_processor_models_that_draw_random_numbers_are_answered(tmp_path: Path) -> None:
    toy_models.random(tmp_path)
    with LocalServer(tmp_path) as server, official_client(server.address) as client:
        drawn = [outputs(client.predict("random", {"x": X}))["y"].tolist() for _ in range(2)]
    assert drawn[0] != drawn[1]


def test_a_gpu_is_made_to_repeat_unless_somebody_has_decided_otherwise() -> None:
    done = subprocess.run([sys.executable, "-c", DECISIONS], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "a processor False",
        "somebody else's TensorFlow False",
        "switched off False",
        "a GPU True",
    ]
    said = [line for line in done.stderr.splitlines() if line.startswith("said: ")]
    assert said == ["said: dream and transfer will not repeat their results bit for bit"]
