"""Somebody's own Keras model, out of its file, as an upscaler: its numbers mapped to grey levels, its reach measured.

Nothing in the file is run: a model is made of Keras' own layers, and what is code, a Lambda layer or a class of
somebody's own, is refused by its name before Keras reads the file.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import h5py
import tensorflow as tf

from impasto.client.given import PixelRange
from impasto.client.texts import printable
from impasto.export.backbones.weights import sha256
from impasto.export.errors import ExportError
from impasto.export.provenance import Provenance
from impasto.export.upscale.measuring import measure
from impasto.export.upscale.upscaler import Enlarge, Enlarger, Upscaler

_COLOURS: Final = 3
_KERAS: Final = ("keras", "builtins")
_TRAINING: Final = "compile_config"
"""The part that only training needs, such as a loss of somebody's own; Keras does not read it here."""

_LARGEST_CONFIG: Final = 64 << 20
_REMEDY: Final = "replace it by layers of Keras, such as Rescaling, Reshape, Permute or UpSampling2D"


class KerasFileError(ExportError):
    """A file that is no Keras model from a picture to a picture, or one that holds code; the message says why."""


def _read_model(path: Path) -> Any:
    """Return the model of a `.keras` or `.h5` file.

    Raises:
        KerasFileError: it is none, holds code, or does not take and give pictures [B, H, W, 3] of any size.
        OSError: the file cannot be opened.
    """
    path.open("rb").close()
    name = printable(path.name)
    for owner in _code(_config(path, name)):
        raise KerasFileError(f"{name} has {owner}, which is code that no file brings along: {_REMEDY}")
    try:
        model = tf.keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        # Keras has no error of its own for a file that it cannot read.
        reason = printable((str(error).strip().splitlines() or [type(error).__name__])[0])
        raise KerasFileError(f"Keras {tf.keras.__version__} cannot load {name}: {reason}") from error
    _check_shapes(model, name)
    return model


def _config(path: Path, name: str) -> Any:
    """Return the layers as the file describes them."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if archive.getinfo("config.json").file_size > _LARGEST_CONFIG:
                    raise KerasFileError(f"{name} describes its layers in more than {_LARGEST_CONFIG} bytes")
                return json.loads(archive.read("config.json"))
        with h5py.File(path, "r") as file:
            return json.loads(file.attrs["model_config"])
    except KeyError as error:
        raise KerasFileError(
            f"{name} has weights and no layers: save the whole model by model.save('model.keras')"
        ) from error
    except (OSError, RuntimeError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise KerasFileError(
            f"{name} is no file of a Keras model ({printable(str(error))}): save one by model.save('model.keras')"
        ) from error


def _code(config: Any) -> Iterator[str]:
    """Name each object that is not Keras' own."""
    if isinstance(config, list):
        for item in config:
            yield from _code(item)
    if not isinstance(config, dict):
        return
    kind, module = config.get("class_name"), config.get("module")
    registered = config.get("registered_name")
    if kind in ("Lambda", "__lambda__"):
        yield "a Lambda layer"
    elif isinstance(module, str) and module.split(".")[0] not in _KERAS:
        yield f"an object of {printable(f'{module}.{kind}')}"
    elif isinstance(registered, str) and ">" in registered:
        yield f"an object registered as {printable(registered)}"
    for key, value in config.items():
        if key != _TRAINING:
            yield from _code(value)


def _check_shapes(model: Any, name: str) -> None:
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise KerasFileError(
            f"{name} has {len(model.inputs)} inputs and {len(model.outputs)} outputs; an upscaler has one of each"
        )
    for word, tensor in (("takes", model.inputs[0]), ("gives", model.outputs[0])):
        shape = tuple(tensor.shape)
        if len(shape) != 4 or shape[3] != _COLOURS:
            raise KerasFileError(f"{name} {word} {list(shape)}; pictures are [B, H, W, 3], RGB")
    batch, height, width, _ = model.inputs[0].shape
    if (batch, height, width) != (None, None, None):
        raise KerasFileError(
            f"{name} takes pictures of {height} x {width} pixels, {batch or 'any number'} at once: build it with "
            "Input((None, None, 3)) and load the weights into it, for pictures of any size"
        )


BLENDED: Final = 32
"""The overlap of tiles of a network that depends on more of a picture than a tile holds."""

TILE: Final = 512
MAXIMUM_PIXELS: Final = 1 << 22
_LEVELS: Final = 255.0


def load(
    path: Path,
    factor: int,
    pixels: PixelRange,
    *,
    licence: str | None = None,
    tile: int = TILE,
    maximum_pixels: int = MAXIMUM_PIXELS,
) -> tuple[Upscaler, Provenance]:
    """Return the upscaler of a model's file, and its origin.

    Args:
        path: a `.keras` or `.h5` file.
        factor: how many times larger its results are.
        pixels: the numbers that it takes for black and white, and gives.
        licence: its licence.
        tile: see `Upscaler.tile`.
        maximum_pixels: see `Upscaler.maximum_pixels`.

    Raises:
        ExportError: the file is no such model, or the model enlarges by another factor.
        OSError: the file cannot be opened.
    """
    model, name = _read_model(path), printable(path.name)
    enlarge = _on_levels(model, pixels)
    measured = measure(tf.function(enlarge, reduce_retracing=True), factor, name=name)
    provenance = Provenance(
        source="keras",
        origin=f"Keras model {name}",
        licence=licence or "not stated",
        sha256={name: sha256(path)},
    )
    module = tf.Module(name="keras_model")
    module.weights = [variable.value for variable in model.variables]
    # No side of a picture is longer than the most pixels that it may have.
    reach = maximum_pixels if measured.reach is None else measured.reach
    fits = 4 * reach <= tile
    upscaler = Upscaler(
        network=f"{printable(model.name)} ({len(model.layers)} Keras layers)",
        weights=str(provenance),
        module=module,
        enlargers={factor: Enlarger(enlarge, reach)},
        overlap=None if fits else min(BLENDED, (tile - 1) // 4),
        tile=tile,
        minimum_side=measured.minimum_side,
        maximum_pixels=maximum_pixels,
    )
    return upscaler, provenance


def _on_levels(model: Any, pixels: PixelRange) -> Enlarge:
    span = (pixels.white - pixels.black) / _LEVELS

    def enlarge(image: tf.Tensor) -> tf.Tensor:
        numbers = tf.cast(image * span + pixels.black, model.inputs[0].dtype)
        return (tf.cast(model(numbers, training=False), tf.float32) - pixels.black) / span

    return enlarge
