"""From a training checkpoint to an upscaler in the model repository."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import tensorflow as tf

from impasto.export.errors import ExportError
from impasto.export.repository import Version
from impasto.export.srcnn.photos import Photo
from impasto.export.srcnn.served import origin
from impasto.export.upscale.checkpoints import load_network
from impasto.export.upscale.degradation import MEASURED_QUALITY, as_jpeg
from impasto.export.upscale.network import UpscalingNetwork
from impasto.export.upscale.presets import model_name
from impasto.export.upscale.publish import publish as publish_upscaler
from impasto.export.upscale.scores import Upscale, compared, mean_gain
from impasto.export.upscale.served import ServedUpscaler
from impasto.export.upscale.upscaler import Enlarger, Upscaler


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
        weights=origin(training or {}),
        module=network,
        enlargers={factor: Enlarger(enlarging(factor), size.reach) for factor in network.factors},
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
    served = ServedUpscaler(upscaler)
    wears = {"clean": lambda low: low, f"jpeg_{MEASURED_QUALITY}": partial(as_jpeg, quality=MEASURED_QUALITY)}
    figures = {
        name: {
            f"x{factor}": _quality(
                photos, factor, lambda low, factor: served.upscale(low, factor=factor), wear=wear
            )
            for factor in network.factors
        }
        for name, wear in wears.items()
    }
    if not all(
        math.isfinite(part["mean_gain_rgb_db"]) for parts in figures.values() for part in parts.values()
    ):
        raise ExportError(
            f"the network of {checkpoint} gives no picture that can be measured: train it again"
        )
    return publish_upscaler(
        upscaler,
        model_name(training["recipe"]["size"], training["recipe"]["degradation"]),
        models,
        source={"training": training},
        figures=figures,
        allow_host_ops=allow_host_ops,
    )


def _quality(photos: Sequence[Photo], factor: int, upscale: Upscale, *, wear: Any) -> dict[str, Any]:
    comparisons = list(compared(photos, factor, upscale, wear=wear))
    scores = [comparison.score() for comparison in comparisons]
    similar = [comparison.ssims() for comparison in comparisons]
    return {
        "mean_gain_rgb_db": round(mean_gain(scores), 3),
        "psnr_db": {
            score.name: {"bicubic_rgb": round(score.bicubic, 2), "network_rgb": round(score.network, 2)}
            for score in scores
        },
        "ssim": {
            score.name: {"bicubic": round(plain, 4), "network": round(refined, 4)}
            for score, (plain, refined) in zip(scores, similar, strict=True)
        },
    }
