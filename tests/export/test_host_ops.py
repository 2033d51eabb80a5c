"""The ops that a GPU cannot run, found in graphs without a GPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from click.testing import CliRunner

from impasto.client.repository.manifest import HostOps, Manifest
from impasto.export import host_ops, publishing
from impasto.export.cli import cli
from impasto.export.cli import dream as cli_dream
from impasto.export.cli import srcnn as cli_srcnn
from impasto.export.cli import stylize as cli_stylize
from impasto.export.cli import transfer as cli_transfer
from impasto.export.contract import contract_function
from impasto.export.foreign import Extras, publish_saved_model
from impasto.export.golden import independent
from impasto.export.provenance import notices
from impasto.export.repository import ModelRepository
from oracles.gpu_memory import skip_without_gpu_kernels
from toys import foreign_models
from toys.exported import without_golden_records
from toys.hub_modules import TangledModule, write_hub_module
from toys.toy_module import TOY_CONTRACT, ToyModule

PICTURE = tf.TensorSpec([None, None, None, 3], tf.float32, "image")


@pytest.fixture(autouse=True)
def a_tensorflow_that_knows_gpu_kernels() -> None:
    skip_without_gpu_kernels()


def found(directory: Path, compute: Callable[[Any], Any]) -> HostOps:
    function = tf.function(lambda image: {"y": compute(image)}, input_signature=[PICTURE])
    module = tf.Module()
    module.call = function
    # Not served, so it does not count.
    module.train = tf.function(
        lambda image: tf.image.resize(image, [8, 8], "area"), input_signature=[PICTURE]
    )
    tf.saved_model.save(module, str(directory), signatures=function)
    ops = host_ops.host_ops(directory)
    assert ops is not None
    return ops


def test_a_graph_that_runs_on_a_gpu_has_none(tmp_path: Path) -> None:
    def network(image: Any) -> Any:
        resized = tf.image.resize(tf.nn.conv2d(image, tf.ones([3, 3, 3, 3]), 1, "SAME"), [8, 8])
        return tf.reverse(tf.nn.relu(tf.pad(resized, [[0, 0], [1, 1], [1, 1], [0, 0]])), [1])

    assert found(tmp_path / "model", network) == HostOps()


@pytest.mark.parametrize(
    ("compute", "op"),
    [
        (lambda image: tf.image.resize(image, [8, 8], "bicubic"), "ResizeBicubic float32"),
        (lambda image: tf.image.resize(image, [8, 8], "lanczos3"), "ScaleAndTranslate float32"),
        (lambda image: tf.image.resize(tf.cast(image, tf.uint8), [8, 8]), "ResizeBilinear uint8"),
    ],
)
def test_an_op_on_pictures_without_a_kernel_for_its_dtype_is_named(
    tmp_path: Path, compute: Callable[[Any], Any], op: str
) -> None:
    assert found(tmp_path / "model", compute).pictures == (op,)


def test_ops_inside_of_functions_and_loops_are_found(tmp_path: Path) -> None:
    def looped(image: Any) -> Any:
        inner = tf.function(lambda value: tf.image.resize(value, tf.shape(value)[1:3], "bicubic"))
        return tf.while_loop(lambda i, _: i < 2, lambda i, value: (i + 1, inner(value)), [0, image])[1]

    assert found(tmp_path / "model", looped).pictures == ("ResizeBicubic float32",)


def test_an_op_that_only_its_gradient_runs_is_found(tmp_path: Path) -> None:
    def gradient(image: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(image)
            loss = tf.reduce_sum(tf.image.resize(image, [8, 8], "bicubic"))
        return tape.gradient(loss, image)

    assert "ResizeBicubicGrad float32" in found(tmp_path / "model", gradient).pictures


def test_words_tables_and_codecs_are_harmless(tmp_path: Path) -> None:
    def words(image: Any) -> Any:
        text = tf.strings.join([tf.strings.as_string(tf.reduce_mean(image)), "!"])
        file = tf.io.encode_png(tf.cast(image[0], tf.uint8))
        return tf.strings.length(text) + tf.strings.length(file)

    ops = found(tmp_path / "model", words)
    assert ops.pictures == ops.others == ()
    assert {"AsString float32", "EncodePng uint8", "StringJoin", "StringLength"} <= set(ops.harmless)


def test_an_op_of_unknown_weight_is_among_the_others(tmp_path: Path) -> None:
    ops = found(tmp_path / "model", lambda image: tf.linalg.logm(tf.complex(image[0, :3, :3, 0], 0.0)))
    assert ops.others == ("MatrixLogarithm complex64",)
    assert ops.pictures == ()


def test_a_tensorflow_without_gpu_kernels_does_not_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = foreign_models.module(tmp_path / "model")
    monkeypatch.setattr(host_ops, "_ON_A_GPU", frozenset({"GPU of another make"}))
    host_ops._on_a_gpu.cache_clear()
    try:
        assert host_ops.host_ops(directory) is None
    finally:
        host_ops._on_a_gpu.cache_clear()


def test_a_published_version_records_them_and_people_are_told(tmp_path: Path) -> None:
    directory = foreign_models.module(tmp_path / "model")
    version = publish_saved_model("pictures", directory, tmp_path / "models", extras=Extras())
    ops = Manifest.read(version.path).host_ops
    assert ops is not None
    assert ops.pictures == ("ResizeBicubic uint8",)
    assert any("they work on pictures: ResizeBicubic uint8" in line for line in notices(version.path))


def test_impastos_own_exporters_record_them(tmp_path: Path) -> None:
    module = ToyModule()
    version = publishing.publish(
        publishing.Servable(module, {"serving_default": module.serve}, TOY_CONTRACT),
        tmp_path / "models",
        warm_up=[("serving_default", {"x": [[1, 2]]})],
        golden=independent([("serving_default", {"x": [[1, 2]]})]),
        source={},
    )
    ops = Manifest.read(version.path).host_ops
    assert ops is not None
    assert ops.pictures == ops.others == ()
    assert notices(version.path) == []


def publish_bicubic(models: Path, **options: Any) -> Path:
    """Publish a toy of Impasto's own that resizes a picture by an op that no GPU runs."""

    def serve(inputs: Any) -> Any:
        x = inputs["x"]
        enlarged = tf.image.resize(x[None, :, :, None], tf.shape(x), "bicubic")[0, :, :, 0]
        added = inputs["gain"] * tf.cast(tf.reduce_sum(inputs["steps"]), tf.float32)
        # The contract leaves the rows free, which resizing knows.
        return {"y": tf.raw_ops.PlaceholderWithDefault(input=enlarged + added, shape=[None, 2])}

    module = ToyModule()
    module.bicubic = contract_function(TOY_CONTRACT.signatures["serving_default"], serve)
    return publishing.publish(
        publishing.Servable(module, {"serving_default": module.bicubic}, TOY_CONTRACT),
        models,
        warm_up=[("serving_default", {"x": [[1, 2]]})],
        golden=independent([("serving_default", {"x": [[1, 2]]})]),
        source={},
        **options,
    ).path


def test_our_exporters_refuse_work_on_pictures_that_no_gpu_runs_unless_told_otherwise(
    tmp_path: Path,
) -> None:
    with pytest.raises(host_ops.HostOpsError, match=r"'toy' .* ResizeBicubic float32\. .* --allow-host-ops"):
        publish_bicubic(tmp_path)
    assert ModelRepository(tmp_path).versions("toy") == ()
    version = publish_bicubic(tmp_path, allow_host_ops=True)
    ops = Manifest.read(version).host_ops
    assert ops is not None and ops.pictures == ("ResizeBicubic float32",)
    assert any("ResizeBicubic float32" in line for line in notices(version))


def test_others_and_what_nobody_could_look_at_are_not_refused() -> None:
    host_ops.check_host_ops("toy", None)
    host_ops.check_host_ops("toy", HostOps(others=("MatrixLogarithm complex64",)))


def test_every_export_command_has_the_option_and_hands_it_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = HostOps(pictures=("ResizeArea float32",))
    monkeypatch.setattr(publishing, "host_ops", lambda _: found)
    for command in (cli_dream.dream, cli_transfer.transfer, cli_stylize.stylize, cli_srcnn.save):
        assert "allow_host_ops" in {parameter.name for parameter in command.params}
    module = write_hub_module(tmp_path / "module", TangledModule())
    arguments = ["stylize", "--from", str(module), "--allow-unpinned", "--models", str(tmp_path / "models")]
    refused = CliRunner().invoke(cli, arguments)
    assert isinstance(refused.exception, host_ops.HostOpsError)
    assert "ResizeArea float32" in str(refused.exception)
    with without_golden_records():
        allowed = CliRunner().invoke(cli, [*arguments, "--allow-host-ops"])
    assert allowed.exit_code == 0, allowed.output
    assert "they work on pictures: ResizeArea float32" in allowed.stderr
