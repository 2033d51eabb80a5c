"""Somebody's own Keras model as an upscaler: measured, mapped to grey levels, and refused where it cannot be one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from keras import layers

from impasto.client.given import PixelRange
from impasto.client.repository.manifest import Manifest
from impasto.export.cli import cli
from impasto.export.errors import ExportError
from impasto.export.sample import photo
from impasto.export.saved_model import load_as_server
from impasto.export.upscale.keras_model import BLENDED, MAXIMUM_PIXELS, KerasFileError, load
from impasto.export.upscale.served import ServedUpscaler

# Keras saves variables by a call of numpy that numpy 2 does not like.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)

UNIT = PixelRange(0, 1)
ASKED = "on average: is --range right, and is it trained?"


def saved(folder: Path, *steps: Any, name: str = "own.keras", shape: Any = (None, None, 3)) -> Path:
    """Save a model of layers, one after another."""
    keras.utils.set_random_seed(0)
    x = picture = keras.Input(shape)
    for step in steps:
        x = step(x)
    path: Path = folder / name
    model = keras.Model(picture, x, name="own")
    model.compile(loss=own_loss)
    model.save(path)
    return path


def own_loss(wanted: Any, found: Any) -> Any:
    """Somebody's own, which training needs and nothing else."""
    return keras.ops.mean(keras.ops.abs(wanted - found))


def doubled(*before: Any, interpolation: str = "nearest") -> list[Any]:
    return [*before, layers.UpSampling2D(2, interpolation=interpolation)]


def squeezed() -> list[Any]:
    """A global pooling that scales channels, as squeeze-and-excitation does it."""

    class Squeeze:
        def __call__(self, x: Any) -> Any:
            scale = layers.GlobalAveragePooling2D(keepdims=True)(x)
            return layers.Multiply()([x, layers.Dense(3, "sigmoid")(scale)])

    return [Squeeze()]


def test_the_command_publishes_a_model_that_clients_can_call(tmp_path: Path) -> None:
    path = saved(tmp_path, *doubled(layers.DepthwiseConv2D(1, depthwise_initializer="ones")))
    options = ["--factor", "2", "--range", "-1..1", "--name", "mine", "--licence", "MIT, me"]
    run = CliRunner().invoke(
        cli,
        ["upscaler", "import", "--keras", str(path), *options, "--models", str(tmp_path)],
        catch_exceptions=False,
    )
    assert run.exit_code == 0, run.output
    assert "a pixel depends on 0 pixels to each side; tiles equal the whole picture" in run.stderr
    assert ASKED not in run.stderr
    origin = Manifest.read(tmp_path / "mine" / "1").source["origin"]
    assert (origin["licence"], list(origin["sha256"])) == ("MIT, me", ["own.keras"])
    picture = photo(9, 11)
    with load_as_server(tmp_path / "mine" / "1") as served:
        enlarged = served.run("x2", {"image": picture[None]})["image"][0]
        told = served.run("describe", {"query": np.array([0], np.int32)})
    np.testing.assert_array_equal(enlarged, picture.repeat(2, axis=0).repeat(2, axis=1))
    assert told["factors"].tolist() == [[2]]
    assert told["weights"][0].decode() == "Keras model own.keras; licence: MIT, me"


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_a_file_of_the_older_format_is_read_too(tmp_path: Path) -> None:
    steps = doubled(layers.Conv2D(3, 3, padding="same"))
    upscalers = [load(saved(tmp_path, *steps, name=name), 2, UNIT)[0] for name in ("own.keras", "own.h5")]
    first, second = (ServedUpscaler(upscaler).upscale(photo(9, 11)) for upscaler in upscalers)
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("before", "reach"),
    [
        ([layers.Conv2D(4, 9, padding="same", activation="relu"), layers.Conv2D(3, 5, padding="same")], 6),
        ([layers.Conv2D(3, 3, dilation_rate=9, padding="same")], 9),
        ([layers.MaxPooling2D(3, strides=1, padding="same"), layers.Conv2D(3, 3, padding="same")], 2),
    ],
)
def test_the_reach_of_a_model_is_measured(tmp_path: Path, before: list[Any], reach: int) -> None:
    upscaler, _ = load(saved(tmp_path, *doubled(*before)), 2, UNIT)
    assert (upscaler.reach, upscaler.overlap, upscaler.minimum_side) == (reach, None, 1)


def test_a_model_that_looks_at_the_whole_picture_has_its_tiles_blended(tmp_path: Path) -> None:
    upscaler, _ = load(saved(tmp_path, *doubled(*squeezed())), 2, UNIT)
    assert (upscaler.reach, upscaler.overlap) == (MAXIMUM_PIXELS, BLENDED)


def test_numbers_outside_the_range_become_black_and_white(tmp_path: Path) -> None:
    path = saved(tmp_path, *doubled(layers.Rescaling(2.0, -0.4)))
    upscaler, _ = load(path, 2, UNIT)
    served = ServedUpscaler(upscaler)
    picture = np.array([[[0, 60, 100], [127, 200, 255]]], np.uint8)
    wanted = np.clip(np.rint(2.0 * picture - 102), 0, 255)
    np.testing.assert_array_equal(served.upscale(picture)[0, ::2], wanted[0])


def test_a_range_that_seems_wrong_is_asked_about(tmp_path: Path) -> None:
    path = saved(tmp_path, *doubled(layers.ReLU()))
    options = ["--factor", "2", "--range", "-1..1", "--name", "mine", "--models", str(tmp_path)]
    run = CliRunner().invoke(cli, ["upscaler", "import", "--keras", str(path), *options])
    assert run.exit_code == 0, run.output
    assert ASKED in run.stderr


@pytest.mark.parametrize(
    ("steps", "shape", "words"),
    [
        (
            doubled(),
            (None, None, 1),
            r"own\.keras takes \[None, None, None, 1\]; pictures are \[B, H, W, 3\], RGB",
        ),
        (doubled(), (32, 32, 3), r"takes pictures of 32 x 32 pixels.*Input\(\(None, None, 3\)\)"),
        (
            doubled(layers.Conv2D(3, 3)),
            (None, None, 3),
            r"gives \[1, 76, 108, 3\] for a picture of 40 x 56 pixels; with --factor 2 it must give \[1, 80, 112, 3\]",
        ),
        ([layers.UpSampling2D(3)], (None, None, 3), r"gives \[1, 120, 168, 3\].*with --factor 2"),
        (
            [layers.AveragePooling2D(2, padding="same"), layers.UpSampling2D(4)],
            (None, None, 3),
            r"gives \[1, 116, 88, 3\] for a picture of 57 x 43 pixels.* as for pictures of all sizes",
        ),
        ([layers.Conv2D(4, 1)], (None, None, 3), r"gives \[None, None, None, 4\]; pictures are"),
        (
            doubled(layers.Lambda(lambda x: x)),
            (None, None, 3),
            "has a Lambda layer, which is code that no file brings along: replace it by layers of Keras",
        ),
    ],
)
def test_a_model_that_is_no_upscaler_is_refused_in_words(
    tmp_path: Path, steps: list[Any], shape: Any, words: str
) -> None:
    with pytest.raises(ExportError, match=words):
        load(saved(tmp_path, *steps, shape=shape), 2, UNIT)


def test_a_class_of_somebody_is_named_and_never_looked_for(tmp_path: Path) -> None:
    @keras.saving.register_keras_serializable(package="theirs")
    class Sharpen(layers.Layer):
        def call(self, x: Any) -> Any:
            return x

    path = saved(tmp_path, *doubled(Sharpen()))
    with pytest.raises(KerasFileError, match=r"own\.keras has an object .*Sharpen, which is code"):
        load(path, 2, UNIT)


@pytest.mark.parametrize(
    "content", [b"", b"no model", b"PK\x03\x04" + bytes(40), b"\x89HDF\r\n\x1a\n" + bytes(60)]
)
def test_another_file_is_refused_in_words(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "notes.keras").write_bytes(content)
    with pytest.raises(KerasFileError, match=r"notes\.keras is no file of a Keras model"):
        load(tmp_path / "notes.keras", 2, UNIT)


def test_weights_alone_are_no_model(tmp_path: Path) -> None:
    path = saved(tmp_path, *doubled())
    weights = tmp_path / "own.weights.h5"
    keras.models.load_model(path, compile=False).save_weights(weights)
    with pytest.raises(KerasFileError, match=r"has weights and no layers: save the whole model"):
        load(weights, 2, UNIT)
