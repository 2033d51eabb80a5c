"""A Keras model as an upscaler: its numbers mapped to grey levels, its reach measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import tensorflow as tf

from impasto.client.given.pixel_range import PixelRange
from impasto.client.printable import printable
from impasto.export.backbones.weights import sha256
from impasto.export.provenance import Provenance
from impasto.export.upscale.keras_file import read_model
from impasto.export.upscale.measuring import measure
from impasto.export.upscale.upscaler import Enlarge, Enlarger, Upscaler

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
    model, name = read_model(path), printable(path.name)
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
