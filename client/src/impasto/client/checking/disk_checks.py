"""Checks by a version's files: golden records to compare with, and what its manifest says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from impasto.client.checking.invariants import Difference, differences
from impasto.client.checking.subject import Finding, OnDisk, Subject, failed, passed, skipped, warned
from impasto.client.repository.golden import GoldenError, GoldenRecord, read_golden
from impasto.client.repository.manifest import Manifest, ManifestError

_WARM_UP: Final = "assets.extra/tf_serving_warmup_requests"
_MOST_SHOWN: Final = 3


def read_version(models: Path | None, golden: Sequence[GoldenRecord], name: str, version: int) -> OnDisk:
    """Return what the files tell of a version.

    Args:
        models: the repository; None if none was given.
        golden: records that were given by themselves.
        name: the model's.
        version: the number that the server serves.
    """
    if models is None:
        return OnDisk(golden=tuple(golden), problem="" if golden else "--models and --golden were not given")
    if name in ("", ".", "..") or "/" in name or "\\" in name or "\0" in name:
        return OnDisk(golden=tuple(golden), problem=f"{name!r} is no folder's name")
    folder = models / name / str(version)
    try:
        manifest = Manifest.read(folder)
        return OnDisk(manifest=manifest, golden=(*golden, *read_golden(folder)))
    except (ManifestError, GoldenError, OSError, ValueError) as error:
        return OnDisk(golden=tuple(golden), problem=str(error))


def golden(subject: Subject) -> Iterator[Finding]:
    """Repeat the requests of the golden records, and compare the outputs with those recorded."""
    records, on_disk = subject.on_disk.golden, subject.on_disk
    if not records:
        yield skipped("golden", on_disk.problem or "the version has no golden records")
        return
    if subject.is_changed_by_calls:
        yield skipped(
            "golden", "not compared, as the manifest says that a call changes what the next one sees"
        )
        return
    near: list[Difference] = []
    for number, record in enumerate(records):
        found = list(differences(record.outputs, subject.call(record.signature, record.inputs).outputs))
        wrong = [one.words for one in found if subject.options.exact or not one.is_allowed]
        if wrong:
            yield failed(
                "golden",
                f"record {number} ({record.signature}): {'; '.join(wrong[:_MOST_SHOWN])}",
                "serve the version that was exported (impasto-export repository verify), or leave out --exact on "
                "another processor"
                if subject.options.exact
                else "impasto-export repository verify",
            )
            return
        near += found
    words = f"{len(records)} record{'s' if len(records) != 1 else ''}, "
    if near:
        yield passed("golden", f"{words}as near as another processor may be: {near[0].words}")
    else:
        yield passed("golden", f"{words}equal bits")


def manifest(subject: Subject) -> Iterator[Finding]:
    """Judge what the manifest says: warm-up records, ops without a GPU kernel, and the exporter's release."""
    found = subject.on_disk.manifest
    if found is None:
        return
    if _WARM_UP not in found.files:
        yield warned(
            "warm-up",
            "the version has no warm-up records, so its first calls build what later ones use",
            "an exporter's own publishing, or impasto-export repository publish NAME DIR --warm-up requests.json",
        )
    if found.host_ops is not None and found.host_ops.pictures:
        yield warned(
            "host ops",
            f"a GPU server runs these on its processor: {', '.join(found.host_ops.pictures[:_MOST_SHOWN])}",
            "an export without them, where a GPU serves; nothing on a processor",
        )
    yield judged_release(found.tensorflow, subject.options.server_version)


def judged_release(exporter: str | None, server: str) -> Finding:
    """Judge the TensorFlow that exported a version beside the server's: an older server may not know its ops."""
    if not exporter:
        return skipped("release", "the manifest does not say which TensorFlow exported the version")
    if not server:
        return skipped(
            "release", f"exported by TensorFlow {exporter}; no server tells its own: --server-version"
        )
    if _release(exporter) > _release(server):
        return warned(
            "release",
            f"exported by TensorFlow {exporter}, newer than the server's {server}",
            f"an image tensorflow/serving:{exporter} or newer, or an older exporter",
        )
    return passed("release", f"exported by TensorFlow {exporter}, and the server is {server}")


def _release(text: str) -> tuple[int, ...]:
    """The numbers that say which ops there are: 2.21 of 2.21.0-gpu."""
    return tuple(int(part) for part in re.findall(r"\d{1,9}", text)[:2])
