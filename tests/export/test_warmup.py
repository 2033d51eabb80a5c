from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from impasto.client.repository.manifest import Manifest
from impasto.export.contract import SavedModelError
from impasto.export.repository import ModelRepository
from impasto.export.saved_model import load_as_server, save
from impasto.export.warmup import WARMUP_FILE, Request, WarmupError, read_warmup, write_warmup
from toys.toy_module import TOY_CONTRACT, ToyModule

X = np.array([[1, 2]], np.float32)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("warmup") / "toy"
    module = ToyModule()
    save(module, directory, {"serving_default": module.serve}, contract=TOY_CONTRACT)
    return directory


@pytest.fixture
def saved(exported: Path, tmp_path: Path) -> Path:
    return shutil.copytree(exported, tmp_path / "toy")


def test_the_official_prediction_log_reads_what_is_written(saved: Path) -> None:
    write_warmup(saved, "toy", [("serving_default", {"x": X}), ("serving_default", {"x": X, "steps": [7]})])
    path = saved / "assets.extra" / "tf_serving_warmup_requests"
    logs = [
        prediction_log_pb2.PredictionLog.FromString(record)
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    ]
    assert [log.WhichOneof("log_type") for log in logs] == ["predict_log", "predict_log"]
    request = logs[1].predict_log.request
    assert (request.model_spec.name, request.model_spec.signature_name) == ("toy", "serving_default")
    assert not request.model_spec.HasField("version")
    np.testing.assert_array_equal(tf.make_ndarray(request.inputs["x"]), X)
    steps = tf.make_ndarray(request.inputs["steps"])
    assert (steps.dtype, steps.tolist()) == (np.int32, [7])


def test_every_record_runs_on_the_model_it_was_written_for(saved: Path) -> None:
    write_warmup(saved, "toy", [("serving_default", {"x": X}), ("serving_default", {"x": X, "gain": 0.5})])
    with load_as_server(saved) as served:
        results = [served.run(signature, inputs)["y"].tolist() for signature, inputs in read_warmup(saved)]
    assert results == [[[9.0, 15.0]], [[4.0, 5.0]]]


def test_the_same_requests_give_the_same_bytes(saved: Path) -> None:
    request: Request = ("serving_default", {"x": X, "gain": 1.0, "steps": [1, 2]})
    first = write_warmup(saved, "toy", [request]).read_bytes()
    assert write_warmup(saved, "toy", [request]).read_bytes() == first


def test_a_model_with_warmup_records_is_published_whole(exported: Path, tmp_path: Path) -> None:
    def write(directory: Path) -> None:
        shutil.copytree(exported, directory, dirs_exist_ok=True)
        write_warmup(directory, "toy", [("serving_default", {"x": X})])

    repository = ModelRepository(tmp_path / "models")
    version = repository.publish("toy", write, manifest=Manifest(model="toy"))
    assert repository.verify("toy").ok
    assert WARMUP_FILE.as_posix() in repository.manifest("toy").files
    assert len(read_warmup(version.path)) == 1


def test_a_thousand_records_are_the_most_that_a_server_takes(saved: Path) -> None:
    request: Request = ("serving_default", {"x": X})
    write_warmup(saved, "toy", [request] * 1000)
    assert len(read_warmup(saved)) == 1000
    for count in (0, 1001):
        with pytest.raises(WarmupError, match=f"{count} warm-up requests: give 1 to 1000"):
            write_warmup(saved, "toy", [request] * count)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (("nope", {"x": X}), "no signature 'nope'; there are: serving_default"),
        (("serving_default", {}), "needs input x"),
        (("serving_default", {"x": X, "z": 1}), "has no input 'z'"),
        (("serving_default", {"x": X.astype(np.float64)}), "'x' must be float32, not float64"),
        (("serving_default", {"x": X[:, :1]}), r"'x' has shape \(1, 1\), not \(None, 2\)"),
        (("serving_default", {"x": X, "gain": [1.0]}), r"'gain' has shape \(1,\), not \(\)"),
        (("serving_default", {"x": X, "gain": "loud"}), "'gain' must be float32"),
        (("serving_default", {"x": X, "steps": [1.5]}), r"'steps' must be int32, not \[1\.5\]"),
        (("serving_default", {"x": X, "steps": [2**40]}), "'steps' must be int32"),
    ],
)
def test_a_request_that_the_server_would_fail_on_is_refused(
    saved: Path, request_: Request, message: str
) -> None:
    with pytest.raises(WarmupError, match=message):
        write_warmup(saved, "toy", [request_])
    assert not (saved / WARMUP_FILE).exists()


def test_records_need_a_saved_model_to_fit(tmp_path: Path) -> None:
    with pytest.raises(SavedModelError, match=r"saved_model\.pb is missing"):
        write_warmup(tmp_path, "toy", [("serving_default", {"x": X})])


def test_a_version_without_records_has_none(saved: Path) -> None:
    assert read_warmup(saved) == []


@pytest.mark.parametrize("damage", ["flip", "cut", "not a log"])
def test_a_damaged_file_of_records_is_named(saved: Path, damage: str) -> None:
    path = write_warmup(saved, "toy", [("serving_default", {"x": X})])
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[20] ^= 1
        path.write_bytes(data)
    elif damage == "cut":
        path.write_bytes(data[:-3])
    else:
        with tf.io.TFRecordWriter(str(path)) as writer:
            writer.write(b"\xff\xff\xff")
    with pytest.raises(WarmupError, match="is damaged"):
        read_warmup(saved)
