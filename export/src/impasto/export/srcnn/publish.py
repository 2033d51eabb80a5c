"""From a training checkpoint to a version in the model repository, and back to a callable."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impasto.client.signatures import SERVING_DEFAULT, SRCNN
from impasto.export import publishing
from impasto.export.errors import ExportError
from impasto.export.repository import ModelRepository, Version
from impasto.export.saved_model import load_as_server
from impasto.export.srcnn import network as networks
from impasto.export.srcnn.evaluate import Pixels, mean_gain, score_photos
from impasto.export.srcnn.photos import held_out_photos
from impasto.export.srcnn.served import ServedSRCNN
from impasto.export.srcnn.training import load_network, read_network


def publish(checkpoint: Path, models: Path) -> Version:
    """Export the network of a checkpoint folder as the next version of `srcnn`.

    The manifest records the training (recipe, photos with licences), and the PSNR on the held-out photos.

    Raises:
        ExportError: no checkpoint there, or the held-out photos cannot be read.
    """
    network, training, epochs = load_network(checkpoint)
    if epochs == 0:
        raise ExportError(f"the training in {checkpoint} has not finished an epoch; continue it first")
    return _publish(network, {**training, "finished_epochs": epochs}, models, whence=checkpoint)


def republish(version: int, models: Path) -> Version:
    """Export the network of a version as the next one, by the exporter and the TensorFlow of today.

    The manifest keeps the training and names the version; the PSNR is measured again.

    Raises:
        RepositoryError: there is no such version.
        ExportError: the version does not hold such a network, or the held-out photos cannot be read.
    """
    repository = ModelRepository(models)
    path = repository.version(SRCNN.name, version).path
    training = repository.manifest(SRCNN.name, version).source.get("training", {})
    network = read_network(path, training)
    return _publish(network, {**training, "republished_from": version}, models, whence=path)


def _publish(network: networks.SRCNN, training: Mapping[str, Any], models: Path, *, whence: Path) -> Version:
    served = ServedSRCNN(network)
    scores = score_photos(held_out_photos(), served.upscale)
    gain = mean_gain(scores)
    if not math.isfinite(gain):
        raise ExportError(f"the network of {whence} gives no picture that can be measured: train it again")
    figures = {
        "mean_gain_rgb_db": round(gain, 3),
        "psnr_db": {score.name: score.as_dict(digits=2) for score in scores},
    }
    # One request of each rank of work: a single picture as the client sends it, and a small batch.
    requests = [(SERVING_DEFAULT, {"image": np.zeros((batch, 32, 48, 3), np.uint8)}) for batch in (1, 2)]
    return publishing.publish(
        served,
        {SERVING_DEFAULT: served.serving_default},
        models,
        contract=SRCNN,
        warm_up=requests,
        source={"training": dict(training)},
        figures=figures,
    )


@contextmanager
def exported_upscaler(models: Path, version: int | None = None) -> Iterator[Callable[[Pixels], Pixels]]:
    """The exported `srcnn`, loaded the way TensorFlow Serving does: uint8 [H, W, 3] to uint8 [2H, 2W, 3].

    Args:
        models: the repository.
        version: its number; `None` is the newest.
    """
    path = ModelRepository(models).version(SRCNN.name, version).path
    with load_as_server(path) as served:

        def upscale(image: Pixels) -> Pixels:
            result: NDArray[np.uint8] = served.run(SERVING_DEFAULT, {"image": image[None]})["image"][0]
            return result

        yield upscale
