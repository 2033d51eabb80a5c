"""The golden records that our own exporters write into their versions."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from impasto.client import Client
from impasto.client.repository.golden import GoldenError, GoldenRecord, read_golden
from impasto.client.repository.graph_file import signatures_of
from impasto.client.repository.manifest import Manifest
from impasto.client.signatures import UPSCALE
from impasto.export import publishing, sample
from impasto.export.contract import contract_function
from impasto.export.golden import Requests, independent
from impasto.export.host_ops import host_ops
from impasto.export.repository import ModelRepository, PublishError
from impasto.export.warmup import WarmupError
from toys.toy_module import TOY_CONTRACT, ToyModule

COMMITTED = Path(__file__).parents[2] / "models"

OURS = ("srcnn", "stylize", "dream", "transfer")

TOLERANCE = 1e-3
"""The largest part of an output's largest number by which a server's answer may differ: that of rounding."""


@pytest.fixture(scope="session")
def server(start_once: Any, exported: Path, server_kind: str) -> Any:
    return start_once(server_kind, exported, enable_model_warmup="false")


def records(models: Path, model: str) -> list[GoldenRecord]:
    return list(read_golden(models / model / "1"))


@pytest.mark.parametrize("model", OURS)
def test_a_server_answers_what_the_exporter_computed(server: Any, exported: Path, model: str) -> None:
    with Client(server.address) as client:
        for record in records(exported, model):
            answer = client.predict(model, record.inputs, signature=record.signature)
            assert answer.keys() == record.outputs.keys()
            for name, expected in record.outputs.items():
                assert_alike(answer[name], expected, f"{record.signature}: {name}")


def assert_alike(found: NDArray[Any], expected: NDArray[Any], where: str) -> None:
    assert found.shape == expected.shape, where
    if expected.dtype.kind in "OU":
        assert found.tolist() == expected.tolist(), where
        return
    assert found.dtype == expected.dtype, where
    most = 1 if expected.dtype == np.uint8 else TOLERANCE * float(np.abs(expected).max(initial=0))
    difference = found.astype(float) - expected.astype(float)
    assert np.abs(difference).max(initial=0) <= most, where


@pytest.mark.parametrize("model", OURS)
def test_each_signature_has_records_that_the_manifest_names(exported: Path, model: str) -> None:
    version = exported / model / "1"
    manifest = Manifest.read(version)
    assert {record.signature for record in records(exported, model)} == set(signatures_of(version))
    assert set(manifest.golden) == {
        name for name in manifest.files if name.startswith("assets.extra/golden/")
    }
    assert sum(manifest.files[name].size for name in manifest.golden) < 300_000
    assert ModelRepository(exported).verify(model).ok


@pytest.mark.parametrize("model", OURS)
def test_the_pictures_are_neither_flat_nor_square(exported: Path, model: str) -> None:
    for record in records(exported, model):
        for name, array in {**record.inputs, **record.outputs}.items():
            if array.ndim < 3 or name in ("m", "v"):
                continue
            assert array.shape[-3] != array.shape[-2], (record.signature, name)
            if array.size > 100:
                assert array.std() > 0.02 * np.abs(array).max(), (record.signature, name)


def test_no_steps_leave_the_picture_and_steps_change_it(exported: Path) -> None:
    for model, signature, name in (("dream", "ascend", "state"), ("transfer", "optimize", "image")):
        still, moved, *_ = (each for each in records(exported, model) if each.signature == signature)
        assert [each.inputs["steps"].item() for each in (still, moved)] == [0, 2]
        assert np.array_equal(still.outputs[name], still.inputs[name])
        assert np.abs(moved.outputs[name] - moved.inputs[name]).mean() > 0.001


def test_the_sample_is_of_any_size() -> None:
    assert np.array_equal(sample.photo(90, 110)[:83, :101], sample.photo(83, 101))
    assert sample.photo(300, 1).shape == (300, 1, 3)
    assert sample.painting(5, 300).shape == (5, 300, 3)


def test_inputs_are_kept_with_the_dtypes_that_the_signature_asks_for(tmp_path: Path) -> None:
    (record,) = read_golden(publish_toy(tmp_path, independent([("serving_default", {"x": [[1, 2]]})])).path)
    assert record.inputs["x"].dtype == np.float32
    assert record.outputs["y"].tolist() == [[9, 15]]


def publish_toy(models: Path, golden: Requests, module: Any = None, serve: Any = None) -> Any:
    module = module or ToyModule()
    return publishing.publish(
        publishing.Servable(module, {"serving_default": serve or module.serve}, TOY_CONTRACT),
        models,
        warm_up=[("serving_default", {"x": [[1, 2]]})],
        golden=golden,
        source={},
    )


def test_a_request_may_depend_on_an_earlier_answer(tmp_path: Path) -> None:
    def chained() -> Requests:
        outputs = yield "serving_default", {"x": [[1, 2]], "gain": 0.5}
        yield "serving_default", {"x": outputs["y"]}

    first, second = read_golden(publish_toy(tmp_path, chained()).path)
    assert second.inputs["x"].tolist() == first.outputs["y"].tolist()


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "'serving_default' needs input x"),
        ({"x": [[1, 2, 3]]}, r"input 'x' has shape \(1, 3\)"),
        ({"x": [[1, 2]], "nope": 1}, "has no input 'nope'"),
    ],
)
def test_a_request_that_does_not_fit_is_named_and_nothing_is_published(
    tmp_path: Path, inputs: Mapping[str, Any], message: str
) -> None:
    requests = independent([("serving_default", inputs)])
    with pytest.raises(WarmupError, match=message):
        publish_toy(tmp_path, requests)
    assert ModelRepository(tmp_path).versions("toy") == ()


def test_a_graph_that_fails_at_its_golden_request_is_not_published(tmp_path: Path) -> None:
    def check_the_answer(x: Any, gain: Any, steps: Any) -> Any:
        return {"y": tf.debugging.check_numerics(module.serve(x, gain, steps)["y"], "y is no number")}

    module = ToyModule()
    module.checked = contract_function(
        TOY_CONTRACT.signatures["serving_default"], lambda x: check_the_answer(**x)
    )
    with pytest.raises(PublishError, match=r"request 1 of 'serving_default' fails .*y is no number"):
        publish_toy(
            tmp_path, independent([("serving_default", {"x": [[np.nan, 2]]})]), module, module.checked
        )
    assert ModelRepository(tmp_path).versions("toy") == ()


def test_a_record_that_was_changed_is_noticed(exported: Path, tmp_path: Path) -> None:
    shutil.copytree(exported / "srcnn", tmp_path / "srcnn")
    name = Manifest.read(tmp_path / "srcnn" / "1").golden[0]
    path = tmp_path / "srcnn" / "1" / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    report = ModelRepository(tmp_path).verify("srcnn")
    assert not report.ok
    assert [str(changed) for changed in report.changed] == [name]
    with pytest.raises(GoldenError, match="was changed after it was published"):
        records(tmp_path, "srcnn")


@pytest.fixture
def gpu_kernels(exported: Path) -> None:
    if host_ops(exported / "srcnn" / "1") is None:
        pytest.skip("this TensorFlow is built without GPU kernels, so that it cannot tell which ops lack one")


@pytest.mark.usefixtures("gpu_kernels")
@pytest.mark.parametrize("model", OURS)
def test_a_gpu_runs_the_whole_graph(exported: Path, model: str) -> None:
    assert lacking(exported / model / "1") == ()
    told = Manifest.read(exported / model / "1").host_ops
    assert told is not None and told.pictures == told.others == ()


@pytest.mark.usefixtures("gpu_kernels")
def test_a_gpu_runs_the_whole_graph_of_every_upscaler(upscaler_repository: Path) -> None:
    assert lacking(upscaler_repository / "enlarger" / "1") == ()  # of several factors
    committed = ModelRepository(COMMITTED)
    there = [name for name in UPSCALE.models if committed.versions(name)]
    assert "srcnn" in there
    for name in there:
        assert lacking(committed.latest(name).path) == (), name
    # The first version of srcnn was exported before there was an enlargement that a GPU can compute.
    assert lacking(committed.version("srcnn", 1).path) == ("ResizeBicubic float32",)


def lacking(version: Path) -> tuple[str, ...]:
    """The ops of a version that work on pictures, or may, and have no GPU kernel."""
    found = host_ops(version)
    assert found is not None
    return (*found.pictures, *found.others)
