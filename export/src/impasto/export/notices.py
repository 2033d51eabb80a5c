"""Notices for people about a version that is published; no TensorFlow is needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from impasto.client.repository.graph_file import WARM_UP_FILE, signatures_of
from impasto.client.repository.manifest import HostOps, Manifest

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
