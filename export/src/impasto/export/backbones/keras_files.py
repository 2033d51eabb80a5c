"""Weights in Keras' files, among them the ImageNet weights that Keras publishes.

Keras' own model reads the file, in whichever of its formats it is, and is dropped afterwards.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from impasto.export.backbones.architecture import Architecture
from impasto.export.backbones.weights import (
    IMAGENET,
    DownloadError,
    Provenance,
    Weights,
    WeightsError,
    sha256,
)

_MOST_BYTES: Final = 2 << 30
_BASE: Final = "https://storage.googleapis.com/tensorflow/keras-applications"


@dataclass(frozen=True)
class _Published:
    """A network as Keras publishes it: its model, and the file of ImageNet weights with the MD5 that Keras checks."""

    model: Callable[..., Any]
    url: str
    md5: str
    licence: str


_PUBLISHED: Final = {
    "inception_v3": _Published(
        tf.keras.applications.InceptionV3,
        f"{_BASE}/inception_v3/inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "bcbd6486424b2319ff4ef7d526e38f63",
        "Apache-2.0 (The TensorFlow Authors)",
    ),
    "vgg19": _Published(
        tf.keras.applications.VGG19,
        f"{_BASE}/vgg19/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "253f8cb515780f3b799900260a226db6",
        "CC BY 4.0 (Visual Geometry Group, University of Oxford)",
    ),
}


def download_imagenet(architecture: Architecture) -> Weights:
    """Keras' ImageNet weights of `architecture`, from Keras' cache if they are there already.

    Raises:
        DownloadError: they could not be downloaded, or are not what Keras published.
    """
    published = _PUBLISHED[architecture.name]
    try:
        # Keras prints its progress; standard output is for results.
        with redirect_stdout(sys.stderr):
            file = tf.keras.utils.get_file(
                origin=published.url, file_hash=published.md5, hash_algorithm="md5", cache_subdir="models"
            )
    except Exception as error:
        raise DownloadError(
            f"the ImageNet weights of {architecture.name} could not be downloaded from {published.url} ({error})"
        ) from error
    path = Path(file)
    provenance = Provenance(
        source=IMAGENET,
        origin="ImageNet, as Keras publishes them",
        licence=published.licence,
        sha256=sha256(path),
    )
    return Weights(read_keras_file(architecture, path), provenance)


def read_keras_file(architecture: Architecture, path: Path) -> dict[str, npt.NDArray[np.float32]]:
    """The weights in a Keras file, .h5 or .weights.h5, of the network without its classifier.

    Raises:
        WeightsError: it cannot be read, or is another network's.
    """
    model = _PUBLISHED[architecture.name].model(include_top=False, weights=None)
    try:
        _check_sizes(path)
        model.load_weights(str(path))
    except WeightsError:
        raise
    except Exception as error:
        raise WeightsError(
            f"{path} does not hold Keras weights of {architecture.name} without its classifier ({error})"
        ) from error
    return arrays_of(architecture, model)


def _check_sizes(path: Path) -> None:
    """Check what a file says its arrays have before Keras takes memory for it: HDF5 compresses, and makes up zeros."""
    total = 0

    def add(name: str, item: h5py.HLObject) -> None:
        nonlocal total
        if not isinstance(item, h5py.Dataset):
            return
        if item.external is not None or item.is_virtual:
            raise WeightsError(f"{path} holds no arrays of its own: {name}; name another file")
        total += item.nbytes
        if total > _MOST_BYTES:
            raise WeightsError(
                f"{path} holds more than {_MOST_BYTES >> 30} GiB of arrays, and no network here does; name another"
            )

    with h5py.File(path, "r") as file:
        file.visititems(add)


def arrays_of(architecture: Architecture, model: Any) -> dict[str, npt.NDArray[np.float32]]:
    """The weights in a Keras model of `architecture`, by our names."""
    layers = tf.keras.layers
    arrays: dict[str, npt.NDArray[np.float32]] = {}
    names = sorted(architecture.convolutions, key=_numbers)
    convolutions = _in_order_made(model, layers.Conv2D)
    for name, layer in zip(names, convolutions, strict=True):
        arrays[f"{name}/kernel"] = layer.get_weights()[0]
        if not architecture.normalised:
            arrays[f"{name}/bias"] = layer.get_weights()[1]
    if architecture.normalised:
        normalisations = _in_order_made(model, layers.BatchNormalization)
        for name, layer in zip(names, normalisations, strict=True):
            for parameter, value in zip(architecture.parameters, layer.get_weights(), strict=True):
                arrays[f"{name}/{parameter}"] = value
    return arrays


def _in_order_made(model: Any, kind: type) -> list[Any]:
    """Keras lists layers by depth in the graph; the numbers in their names tell the order in which they were made."""
    return sorted(
        (layer for layer in model.layers if isinstance(layer, kind)), key=lambda layer: _numbers(layer.name)
    )


def _numbers(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", name))
