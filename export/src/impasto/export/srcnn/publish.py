"""From a training checkpoint to a version in the model repository, and back to a callable."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from impasto.export.errors import ExportError
from impasto.export.repository import ModelRepository, Version
from impasto.export.srcnn import network as networks
from impasto.export.srcnn.network import upscaler_of
from impasto.export.srcnn.training import load_network, read_network
from impasto.export.upscale import publish as publishing
from impasto.export.upscale.evaluate import Score, mean_gain, score_photos
from impasto.export.upscale.photos import held_out_photos
from impasto.export.upscale.served import ServedUpscaler

MODEL: Final = "srcnn"
"""Its name in the repository."""


def publish(checkpoint: Path, models: Path, *, allow_host_ops: bool = False) -> Version:
    """Export the network of a checkpoint folder as the next version of `srcnn`.

    The manifest records the training (recipe, photos with licences), and the PSNR on the held-out photos.

    Args:
        checkpoint: the folder of the training.
        models: the model repository.
        allow_host_ops: see `publishing.publish`.

    Raises:
        ExportError: no checkpoint there, the held-out photos cannot be read, or `publishing.publish` refuses the
            result.
    """
    network, training, epochs = load_network(checkpoint)
    if epochs == 0:
        raise ExportError(f"the training in {checkpoint} has not finished an epoch; continue it first")
    record = {**training, "finished_epochs": epochs}
    return _publish(network, record, models, whence=checkpoint, allow_host_ops=allow_host_ops)


def republish(version: int, models: Path, *, allow_host_ops: bool = False) -> Version:
    """Export the network of a version as the next one, by the exporter and the TensorFlow of today.

    The manifest keeps the training and names the version; the PSNR is measured again.

    Raises:
        RepositoryError: there is no such version.
        ExportError: the version does not hold such a network, the held-out photos cannot be read, or
            `publishing.publish` refuses the result.
    """
    repository = ModelRepository(models)
    path = repository.version(MODEL, version).path
    training = repository.manifest(MODEL, version).source.get("training", {})
    network = read_network(path, training)
    record = {**training, "republished_from": version}
    return _publish(network, record, models, whence=path, allow_host_ops=allow_host_ops)


def _publish(
    network: networks.SRCNN, training: Mapping[str, Any], models: Path, *, whence: Path, allow_host_ops: bool
) -> Version:
    upscaler = upscaler_of(network, training)
    scores = score_photos(held_out_photos(), ServedUpscaler(upscaler).upscale)
    gain = mean_gain(scores)
    if not math.isfinite(gain):
        raise ExportError(f"the network of {whence} gives no picture that can be measured: train it again")
    figures = {
        "mean_gain_rgb_db": round(gain, 3),
        "psnr_db": {score.name: _ratios(score) for score in scores},
    }
    return publishing.publish(
        upscaler,
        MODEL,
        models,
        source={"training": dict(training)},
        figures=figures,
        allow_host_ops=allow_host_ops,
    )


def _ratios(score: Score) -> dict[str, float | None]:
    """The ratios of a photo, as manifests have them."""
    by_name = {"bicubic": score.bicubic.as_dict(digits=2), "srcnn": score.model.as_dict(digits=2)}
    return {
        f"{name}_{part}": found[f"psnr_{part}"] for part in ("rgb", "y") for name, found in by_name.items()
    }
