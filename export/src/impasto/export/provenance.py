"""The things that people are told of a version: the origin of its network, and what is unusual about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from impasto.client.repository.graph_file import WARM_UP_FILE, signatures_of
from impasto.client.repository.manifest import HostOps, Manifest


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """The origin of a network that others have trained.

    Attributes:
        source: the kind of place that it was taken from, as the command line names it: `hub`, `package`, `realesrgan`
            or `keras`.
        origin: one line for people: which network, by whom, taken from where.
        licence: the licence of the weights and of what carried them.
        sha256: the SHA-256 of each file that was read, by name.
    """

    source: str
    origin: str
    licence: str
    sha256: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.origin}; licence: {self.licence}"

    def as_dict(self) -> dict[str, Any]:
        """Return the same as JSON values, for the manifest."""
        return dict(vars(self))


def trained_here(training: Mapping[str, Any]) -> str:
    """Say in a line where the weights of a training of ours are from, by its record."""
    photos = training.get("photos", [])
    if not photos:
        return "untrained, by impasto-export"
    licences = sorted({photo.get("licence", "unknown licence") for photo in photos})
    return f"trained by impasto-export on {len(photos)} photos ({', '.join(licences)}); Apache-2.0"


_UNSENT = ("DT_RESOURCE", "DT_VARIANT")


def notices(version: Path) -> list[str]:
    """Return a line for each thing that is unusual about the version in a directory, with its remedy.

    Raises:
        ManifestError, GraphFileError: the version is damaged.
    """
    manifest = Manifest.read(version)
    return [*_host_ops(manifest.host_ops), *_shared_state(manifest), *_warm_up(version), *_unsent(version)]


def _host_ops(ops: HostOps | None) -> Iterator[str]:
    if ops is None:
        yield "this TensorFlow knows no GPU kernels, so that nobody checked which ops a GPU lacks: publish on Linux x86"
        return
    if ops.pictures:
        yield (
            f"a server with a GPU runs these on the processor, and they work on pictures: {', '.join(ops.pictures)}. "
            "TensorFlow has no GPU kernel for them: replace them where pictures are large"
        )
    if ops.others:
        yield (
            f"a server with a GPU runs these on the processor: {', '.join(ops.others)}. "
            "TensorFlow has no GPU kernel for them: replace them if large tensors go through"
        )


def _shared_state(manifest: Manifest) -> Iterator[str]:
    if manifest.shared_state:
        yield (
            f"a request changes what the next one sees: {'; '.join(manifest.shared_state)}. "
            "Calls that run at once disturb each other, and replicas differ"
        )


def _warm_up(version: Path) -> Iterator[str]:
    if not (version / WARM_UP_FILE).exists():
        yield "it has no warm-up requests, so that the first caller of each server waits: give some with --warm-up"


def _unsent(version: Path) -> Iterator[str]:
    for name, signature in signatures_of(version).items():
        for word, infos in (("input", signature.inputs), ("output", signature.outputs)):
            for info in infos.values():
                if info.dtype in _UNSENT:
                    yield f"{word} {info.name!r} of signature {name!r} is {info.dtype}, which no message can carry"
