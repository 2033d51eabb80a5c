"""Publishing a SavedModel that somebody else has made: copied, loaded as a server would, called, and described."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from impasto.client.repository import golden
from impasto.client.repository.golden import GoldenRecord
from impasto.client.repository.graph_file import GRAPH_FILE, signatures_of
from impasto.client.repository.manifest import MANIFEST_NAME, Manifest, ManifestError
from impasto.client.repository.requests import Request, read_requests
from impasto.client.signatures import MODELS
from impasto.export import contract
from impasto.export.contract import SavedModelError, read_meta_graph
from impasto.export.host_ops import host_ops
from impasto.export.repository import ModelRepository, PublishError, Version
from impasto.export.repository.content import directory_writer
from impasto.export.saved_model import ServedModel, load_as_server
from impasto.export.stateless import shared_writes
from impasto.export.warmup import read_warmup, write_warmup

_LARGEST_RECORD: Final = 16 * 2**20
"""Bytes of a golden record's file: it is copied with the version, and called at each check."""

_SAME: Final = 0.01
"""The largest part of an output by which two runs of one request may differ, as on machines with many threads."""


@dataclass(frozen=True, kw_only=True)
class Extras:
    """The files and words that go with a SavedModel.

    Attributes:
        warm_up: a JSON file of requests that a server runs while it loads the version; None for those that the
            SavedModel brings itself.
        golden: a JSON file of requests whose outputs are kept as golden records.
        source: where the SavedModel comes from, its licence: JSON values, for the manifest.
    """

    warm_up: Path | None = None
    golden: Path | None = None
    source: Mapping[str, Any] = field(default_factory=dict[str, Any])


def publish_saved_model(model: str, directory: Path, models: Path, *, extras: Extras) -> Version:
    """Publish the SavedModel in `directory` as the next version of `model`.

    It is copied into the repository and loaded the way TensorFlow Serving loads it, and every request runs, before it
    becomes a version. Its warm-up requests and other assets are kept; where it is a version of another repository, so
    are its manifest's `source` and `figures`.

    Raises:
        SavedModelError: it is none that a server could load, or it has no signatures.
        ContractError: `model` is one of Impasto's own, and this is none.
        PublishError: there is no such directory, or a request fails or has another answer each time.
        RequestError: a request does not fit the signatures.
        ImageError: a picture that a request names cannot be used.
        OSError: a file cannot be opened.
    """
    _check_place(directory)
    copy = directory_writer(directory)
    earlier = _earlier(directory)

    def write(target: Path) -> None:
        copy(target)
        if earlier is not None:
            (target / MANIFEST_NAME).unlink(missing_ok=True)
        try:
            _check_signatures(model, target)
            with load_as_server(target) as served:
                _warm(model, target, served, extras)
                if extras.golden is not None:
                    _record(target, served, extras.golden)
        except (SavedModelError, contract.ContractError) as error:
            # The copy has a name that nobody knows, and is gone when somebody reads this.
            raise type(error)(str(error).replace(str(target), str(directory))) from error

    def describe(target: Path) -> Manifest:
        graph = read_meta_graph(target)
        return replace(
            Manifest(model=model, tensorflow=graph.meta_info_def.tensorflow_version or None),
            signatures=tuple(signatures_of(target)),
            source={**({} if earlier is None else earlier.source), **extras.source},
            figures={} if earlier is None else earlier.figures,
            golden=tuple(
                sorted(path.relative_to(target).as_posix() for path in (target / golden.FOLDER).glob("*.npz"))
            ),
            host_ops=host_ops(target),
            shared_state=tuple(shared_writes(target)),
        )

    return ModelRepository(models).publish(model, write, manifest=describe)


def _check_place(directory: Path) -> None:
    """Say what to name instead, where `directory` holds no SavedModel. Raises PublishError, SavedModelError."""
    if not directory.is_dir():
        what = "is a file" if directory.exists() else "is not there"
        raise PublishError(
            f"{directory} {what}: name the directory of a SavedModel, as model.export(DIR) of Keras or "
            "tf.saved_model.save writes it"
        )
    if (directory / GRAPH_FILE).exists():
        return
    below = sorted(path.parent for path in directory.glob(f"*/{GRAPH_FILE}"))
    remedy = f"name {below[-1]}" if below else "name the directory that holds it"
    raise SavedModelError(f"{directory} holds no {GRAPH_FILE}, so it is no SavedModel: {remedy}")


def _earlier(directory: Path) -> Manifest | None:
    """The manifest of a version of Impasto's; None where there is none, or somebody else's file of that name."""
    try:
        return Manifest.read(directory)
    except ManifestError:
        return None


def _check_signatures(model: str, target: Path) -> None:
    if not contract.signature_defs(target):
        raise SavedModelError(
            f"the SavedModel for {model!r} has no signatures, so no client can call it: save it with signatures="
        )
    if model in MODELS:  # whose callers rely on it
        try:
            contract.check(MODELS[model], target)
        except contract.ContractError as error:
            raise contract.ContractError(f"{error}. Publish another model under another name") from error


def _warm(model: str, target: Path, served: ServedModel, extras: Extras) -> None:
    """Write the warm-up requests, if there are any to write; run those that there are, as a server will."""
    if extras.warm_up is None:
        requests: Sequence[Request] = read_warmup(target)
        where = "the SavedModel's own warm-up"
    else:
        requests = read_requests(extras.warm_up, signatures_of(target))
        where = str(extras.warm_up)
        write_warmup(target, model, requests)
    for place, (signature, inputs) in enumerate(requests, 1):
        _run(served, signature, inputs, f"{where}: request {place}")


def _record(target: Path, served: ServedModel, path: Path) -> None:
    folder = target / golden.FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.npz"):
        old.unlink()
    for place, (signature, inputs) in enumerate(read_requests(path, signatures_of(target)), 1):
        where = f"{path}: request {place}"
        outputs, again = (_run(served, signature, inputs, where) for _ in range(2))
        if different := sorted(name for name in outputs if not _alike(outputs[name], again[name])):
            raise PublishError(
                f"{where}: {', '.join(different)} differs from run to run, so it is no golden record: leave it out"
            )
        data = GoldenRecord(signature, inputs, outputs).to_bytes()
        if len(data) > _LARGEST_RECORD:
            raise PublishError(
                f"{where}: its record has {len(data):,} bytes, more than {_LARGEST_RECORD:,}: use smaller inputs"
            )
        (folder / f"{place:04}.npz").write_bytes(data)


def _run(
    served: ServedModel, signature: str, inputs: Mapping[str, NDArray[Any]], where: str
) -> dict[str, NDArray[Any]]:
    try:
        return served.run(signature, inputs)
    except (tf.errors.OpError, ValueError, TypeError) as error:
        said = _words(error)
        raise PublishError(
            f"{where} of {signature!r} fails ({said}): mend the request or the model"
        ) from error


def _words(error: Exception) -> str:
    """Return what is wrong, without the places in the graph that TensorFlow puts around it."""
    text = error.message if isinstance(error, tf.errors.OpError) else str(error)
    lines = text.splitlines()
    start = max((number for number, line in enumerate(lines, 1) if line.startswith("Node: ")), default=0)
    kept = [line.strip() for line in lines[start:] if not line.lstrip().startswith("[[{{node")]
    return " ".join(line for line in kept if line) or text


def _alike(one: NDArray[Any], other: NDArray[Any]) -> bool:
    if one.shape != other.shape or one.dtype.kind in "OSUb":
        return np.array_equal(one, other)
    kind = np.complex128 if one.dtype.kind == "c" else np.float64
    one, other = one.astype(kind), other.astype(kind)
    finite = np.abs(one[np.isfinite(one)])
    return np.allclose(one, other, rtol=0, atol=_SAME * float(finite.max(initial=0)), equal_nan=True)
