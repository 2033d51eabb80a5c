"""From a training checkpoint to an upscaler in the model repository."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import tensorflow as tf

from impasto.client.signatures import FACTORS
from impasto.export.errors import ExportError
from impasto.export.provenance import trained_here
from impasto.export.repository import Version
from impasto.export.upscale.degradation import MEASURED_QUALITY
from impasto.export.upscale.evaluate import Score, mean_gain, saved_as_jpeg, tasks
from impasto.export.upscale.network import UpscalingNetwork
from impasto.export.upscale.photos import Photo
from impasto.export.upscale.presets import model_name
from impasto.export.upscale.publish import publish as publish_upscaler
from impasto.export.upscale.served import ServedUpscaler
from impasto.export.upscale.training import load_network
from impasto.export.upscale.upscaler import MAXIMUM_PIXELS, Enlarger, Upscaler

_MOST_FEATURES: Final = 1 << 29
"""The numbers that a layer may give for one call: 2 GiB of float32."""


def upscaler_of(network: UpscalingNetwork, training: Mapping[str, Any] | None = None) -> Upscaler:
    """Return the network as it is served.

    Args:
        network: the network.
        training: the record of its training, if it had one.
    """

    def enlarging(factor: int) -> Callable[[tf.Tensor], tf.Tensor]:
        return lambda image: network(image, factor)

    size = network.size
    return Upscaler(
        network=f"Impasto {size.name}: {size.layers} convolutions of {size.channels} channels",
        weights=trained_here(training or {}),
        module=network,
        enlargers={factor: Enlarger(enlarging(factor), size.reach) for factor in network.factors},
        maximum_pixels=min(MAXIMUM_PIXELS, _MOST_FEATURES // size.channels),
    )


def publish(
    checkpoint: Path, models: Path, photos: Sequence[Photo], *, allow_host_ops: bool = False
) -> Version:
    """Export a trained network as the next version of its model, such as `upscaler-small`.

    The manifest records the training (recipe, photos with licences, time), and the quality of enlarged photos, both
    clean and saved as JPEG before.

    Args:
        checkpoint: the folder of the training, or the directory of a version, which is exported anew: see
            `load_network`.
        models: the model repository.
        photos: the photos to measure, which the training did not see: see `held_out_photos`.
        allow_host_ops: see `publishing.publish`.

    Raises:
        ExportError: no network there, or `publishing.publish` refuses the result.
    """
    network, training = load_network(checkpoint)
    upscaler = upscaler_of(network, training)
    upscale = ServedUpscaler(upscaler).upscale
    wears = {"clean": None, f"jpeg_{MEASURED_QUALITY}": partial(saved_as_jpeg, level=MEASURED_QUALITY)}
    scores = {
        (name, factor): [
            task.score(partial(upscale, factor=factor))
            for task in tasks(photos, factor, wear=wear, with_ssim=True)
        ]
        for name, wear in wears.items()
        for factor in network.factors
    }
    if not all(math.isfinite(mean_gain(found)) for found in scores.values()):
        raise ExportError(
            f"the network of {checkpoint} gives no picture that can be measured: train it again, or name other photos"
        )
    figures: dict[str, dict[str, Any]] = {name: {} for name in wears}
    for (name, factor), found in scores.items():
        figures[name][FACTORS[factor]] = _figures(found)
    return publish_upscaler(
        upscaler,
        model_name(training["recipe"]["size"], training["recipe"]["degradation"]),
        models,
        source={"training": _without_photos_of_before(training)},
        figures=figures,
        allow_host_ops=allow_host_ops,
    )


def _without_photos_of_before(training: Mapping[str, Any]) -> dict[str, Any]:
    """Name the photos once where the training before, whose weights this one started from, saw the same."""
    before = training["start_from"]
    # A published one that went on from another may name none of its own.
    if before is None or before.get("photos") != training["photos"]:
        return dict(training)
    return {**training, "start_from": {name: part for name, part in before.items() if name != "photos"}}


def _figures(scores: Sequence[Score]) -> dict[str, Any]:
    return {
        "mean_gain_rgb_db": round(mean_gain(scores), 3),
        "photos": {
            score.name: {
                "bicubic": score.bicubic.as_dict(digits=4),
                "network": score.model.as_dict(digits=4),
            }
            for score in scores
        },
    }
