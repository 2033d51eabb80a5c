"""The Hub's module as a source, and our export as a Hub module."""

from __future__ import annotations

import hashlib
import os
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from images.pictures import pixels
from impasto.client.signatures import STYLIZE
from impasto.export import contract
from impasto.export.repository import ModelRepository
from impasto.export.saved_model import load_as_server
from impasto.export.stylize.hub_module import HANDLE, load_hub
from impasto.export.stylize.publish import publish
from impasto.export.stylize.served import SourceError
from oracles.rounding import FLOATS, assert_equal_but_for_rounding
from toys.hub_modules import HubModule, PrunedModule, TangledModule, write_hub_module
from toys.tiny_stylizer import VECTOR_SIZE


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hub_module(tmp_path_factory.mktemp("hub") / "module")


@pytest.fixture(scope="module")
def version(directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export of that module."""
    return publish(load_hub(str(directory), allow_unpinned=True), tmp_path_factory.mktemp("models")).path


def floats(height: int, width: int, *, seed: int = 0) -> NDArray[np.float32]:
    return pixels(height, width, seed=seed)[np.newaxis].astype(np.float32) / np.float32(255)


def by_the_seed_recipe(url: str) -> tuple[NDArray[np.float32], Any]:
    """What people write for the Hub's own module; only the URL is ours."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "pkg_resources is deprecated", UserWarning)
        import tensorflow_hub as hub

    hub_model = hub.load(url)
    content_image, style_image = floats(40, 64), floats(80, 96, seed=1)
    return hub_model(tf.constant(content_image), tf.constant(style_image))[0].numpy(), hub_model


def test_the_seed_recipe_runs_on_our_export_with_only_the_url_changed(stylize_repository: Path) -> None:
    painted, loaded = by_the_seed_recipe(str(stylize_repository / "stylize" / "1"))
    assert painted.shape == (1, 40, 64, 3)
    assert painted.dtype == np.float32
    assert 0 <= painted.min() < painted.max() <= 1
    by_signature = loaded.signatures["hub"](
        placeholder=tf.constant(floats(40, 64)), placeholder_1=tf.constant(floats(80, 96, seed=1))
    )
    np.testing.assert_allclose(painted, by_signature["output_0"], rtol=0, atol=FLOATS)


def test_an_export_of_the_module_computes_what_the_module_computes(version: Path) -> None:
    contract.check(STYLIZE, version)
    content, style = floats(40, 64), floats(80, 96, seed=1)
    expected = HubModule()(tf.constant(content), tf.constant(style))[0]
    with load_as_server(version) as served:
        painted = served.run("hub", {"placeholder": content, "placeholder_1": style})["output_0"]
        assert served.run("describe", {})["source"].tolist() == [b"hub"]
    np.testing.assert_allclose(painted, expected, rtol=0, atol=FLOATS)
    np.testing.assert_allclose(by_the_seed_recipe(str(version))[0], expected, rtol=0, atol=FLOATS)


def test_the_modules_style_vector_is_found_and_split_off(version: Path) -> None:
    content, style = pixels(32, 40)[np.newaxis], pixels(256, 256, seed=4)[np.newaxis]
    with load_as_server(version) as served:
        vector = served.run("style_vector", {"style": style})["vector"]
        expected = HubModule().networks.predictor(tf.constant(style / np.float32(255)))
        assert vector.shape == (1, VECTOR_SIZE)
        np.testing.assert_allclose(vector, expected, atol=1e-5)
        # Two graphs, which TensorFlow optimises each by itself.
        assert_equal_but_for_rounding(
            served.run("apply", {"content": content, "vector": vector})["image"],
            served.run("serving_default", {"content": content, "style": style})["image"],
            share=0.01,
        )


def test_the_style_is_split_off_a_module_made_by_magentas_script_too(tmp_path: Path) -> None:
    source = load_hub(str(write_hub_module(tmp_path / "module", PrunedModule())), allow_unpinned=True)
    assert source.split is not None
    assert source.split.size == VECTOR_SIZE
    content, style = tf.constant(floats(32, 40)), tf.constant(floats(80, 96, seed=4))
    networks = HubModule().networks
    vector = source.split.predict(style)
    np.testing.assert_allclose(vector, networks.predictor(style), rtol=0, atol=1e-5)
    expected = networks.stylize(content, style)
    np.testing.assert_allclose(source.split.paint(content, vector), expected, rtol=0, atol=FLOATS)
    np.testing.assert_allclose(source.stylize(content, style), expected, rtol=0, atol=FLOATS)


def test_a_module_whose_style_cannot_be_split_off_serves_the_rest_and_says_so(tmp_path: Path) -> None:
    source = load_hub(str(write_hub_module(tmp_path / "module", TangledModule())), allow_unpinned=True)
    assert source.split is None
    path = publish(source, tmp_path / "models").path
    assert ModelRepository(tmp_path / "models").manifest("stylize").signatures == (
        *("serving_default", "hub", "describe"),
    )
    content, style = np.stack([pixels(16, 20), pixels(16, 20, seed=1)]), pixels(256, 256)[np.newaxis]
    with load_as_server(path) as served:
        assert served.run("describe", {})["vector_size"].tolist() == [0]
        painted = served.run("serving_default", {"content": content, "style": style})["image"]
    floats = [image / np.float32(255) for image in (content, style.repeat(2, axis=0))]
    expected = TangledModule()(*map(tf.constant, floats))[0].numpy() * 255
    assert np.abs(painted - expected).max() <= 0.5 + 255 * FLOATS


def test_the_constants_are_in_the_export_once(version: Path) -> None:
    networks = HubModule().networks
    biases = [networks.predictor.vector.bias, networks.painter.expand[0].convolution.bias]
    content = (version / "saved_model.pb").read_bytes()
    assert [content.count(bias.numpy().tobytes()) for bias in biases] == [1, 1]


def test_a_painting_too_small_for_the_modules_network_is_refused(version: Path) -> None:
    with (
        load_as_server(version) as served,
        pytest.raises(tf.errors.InvalidArgumentError, match="placeholder_1 must be a picture at least 75"),
    ):
        served.run("hub", {"placeholder": floats(16, 16), "placeholder_1": floats(74, 80)})


def digests(directory: Path) -> dict[str, str]:
    files = [path for path in directory.rglob("*") if path.is_file()]
    return {path.relative_to(directory).as_posix(): _sha256(path) for path in files}


def pins(directory: Path) -> dict[str, str]:
    """The module's files as they are pinned: the weights by their id in git, the others by SHA-256."""
    pinned = {name: f"sha256:{digest}" for name, digest in digests(directory).items()}
    (weights,) = [name for name in pinned if ".data-" in name]
    content = (directory / weights).read_bytes()
    git = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
    return {**pinned, weights: f"git:{git}"}


def test_a_filled_cache_needs_no_network_and_its_files_are_compared(
    tmp_path: Path, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    (tmp_path / hashlib.sha1(HANDLE.encode()).hexdigest()).symlink_to(directory)
    source = load_hub(pinned=pins(directory))
    assert source.split is not None
    assert source.provenance.source == "hub"
    assert source.provenance.origin == (
        f"Magenta's arbitrary image stylizer, the TensorFlow Hub module {HANDLE}"
    )
    assert source.provenance.licence == "Apache-2.0 (the Magenta authors)"
    assert source.provenance.sha256 == digests(directory)
    with pytest.raises(SourceError, match=r"is not known to be Magenta's module .*--allow-unpinned"):
        load_hub()


def test_the_pinned_files_are_magentas_wherever_they_lie(directory: Path) -> None:
    assert "Magenta's" in load_hub(str(directory), pinned=pins(directory)).provenance.origin


def _alter(module: Path) -> None:
    with (module / "saved_model.pb").open("ab") as file:
        file.write(b"\x00")


def _add(module: Path) -> None:
    (module / "assets").mkdir(exist_ok=True)
    (module / "assets" / "more").write_text("x")


def _alter_weights(module: Path) -> None:
    (weights,) = (module / "variables").glob("*.data-*")
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)


def _remove(module: Path) -> None:
    (module / "variables" / "variables.index").unlink()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_alter, r"altered: saved_model\.pb"),
        (_alter_weights, r"altered: variables/variables\.data-00000-of-00001"),
        (_add, "added: assets/more"),
        (_remove, r"missing: variables/variables\.index"),
    ],
)
def test_a_module_that_is_not_the_pinned_one_is_refused_before_it_is_loaded(
    tmp_path: Path, directory: Path, change: Callable[[Path], None], words: str
) -> None:
    module = tmp_path / "module"
    shutil.copytree(directory, module)
    change(module)
    with pytest.raises(
        SourceError, match=rf"is not known to be Magenta's module \({words}\).*--source package"
    ):
        load_hub(str(module), pinned=pins(directory))


@pytest.mark.parametrize("kind", ["link to a file", "link to a folder", "dangling link", "pipe"])
def test_a_module_with_links_or_pipes_is_refused_even_unpinned(
    tmp_path: Path, directory: Path, kind: str
) -> None:
    module, odd = tmp_path / "module", tmp_path / "module" / "odd"
    shutil.copytree(directory, module)
    if kind == "pipe":
        os.mkfifo(odd)
    else:
        goals = {"link to a file": directory / "saved_model.pb", "link to a folder": directory}
        odd.symlink_to(goals.get(kind, tmp_path / "nowhere"))
    with pytest.raises(SourceError, match="'odd' in the Hub module module is a link, a pipe or a device"):
        load_hub(str(module), allow_unpinned=True)


def test_an_unpinned_modules_manifest_says_that_nothing_is_known(tmp_path: Path, directory: Path) -> None:
    source = load_hub(str(directory), allow_unpinned=True)
    publish(source, tmp_path / "models")
    weights = ModelRepository(tmp_path / "models").manifest("stylize").source["weights"]
    assert weights["licence"] == "not stated"
    assert "provenance unknown" in weights["origin"]
    assert "Magenta" not in weights["origin"]
    assert weights["sha256"] == digests(directory)


def test_what_is_secret_in_a_url_is_neither_shown_nor_kept(
    tmp_path: Path, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    with pytest.raises(SourceError, match=r"https://\*\*\*@impasto\.invalid/2: a URL with a user") as raised:
        load_hub("https://user:sesame@impasto.invalid/2")
    assert "sesame" not in str(raised.value)
    signed = "https://impasto.invalid/stylizer/2?signature=sesame"
    with pytest.raises(SourceError, match=r"https://impasto\.invalid/stylizer/2 cannot be fetched") as raised:
        load_hub(signed)
    assert "sesame" not in str(raised.value)
    (tmp_path / hashlib.sha1(signed.encode()).hexdigest()).symlink_to(directory)
    told = load_hub(signed, allow_unpinned=True).provenance
    assert "sesame" not in str(told.as_dict())
    assert told.origin.endswith("from https://impasto.invalid/stylizer/2")


def test_without_network_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    unreachable = "https://impasto.invalid/stylizer/2"
    with pytest.raises(SourceError, match=r"--from.*TFHUB_CACHE_DIR.*--source package") as raised:
        load_hub(unreachable)
    assert unreachable in str(raised.value)


def test_a_folder_without_a_module_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"cannot be fetched|holds no SavedModel"):
        load_hub(str(tmp_path), allow_unpinned=True)
    for content in (b"", b"junk" * 100):
        (tmp_path / "saved_model.pb").write_bytes(content)
        with pytest.raises(SourceError, match=r"holds no SavedModel|is not the arbitrary stylizer"):
            load_hub(str(tmp_path), allow_unpinned=True)


def test_a_module_that_is_something_else_is_refused(tmp_path: Path) -> None:
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def twice(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": 2 * x}

    tf.saved_model.save(module, str(tmp_path / "other"), signatures=twice)
    with pytest.raises(SourceError, match=r"is not the arbitrary stylizer: .* and takes x"):
        load_hub(str(tmp_path / "other"), allow_unpinned=True)


def test_a_directory_is_never_called_magentas_module(directory: Path) -> None:
    said = str(load_hub(str(directory), allow_unpinned=True).provenance)
    assert "Magenta" not in said
    assert f"the directory {directory.name}" in said
    assert str(directory) not in said


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
