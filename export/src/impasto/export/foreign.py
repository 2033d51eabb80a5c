"""Publishing a SavedModel that somebody else has made: copied, loaded as a server would, called, and described."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from impasto.client.repository.contract import contract_of
from impasto.client.repository.golden import Request, read_requests
from impasto.client.repository.graph_file import GRAPH_FILE, signatures_of
from impasto.client.repository.manifest import MANIFEST_NAME, Manifest, ManifestError
from impasto.client.signatures import MODELS
from impasto.export import contract
from impasto.export.contract import SavedModelError, read_meta_graph
from impasto.export.golden import golden_files, independent, run_request, write_golden
from impasto.export.host_ops import host_ops
from impasto.export.repository import ModelRepository, PublishError, Version
from impasto.export.repository.tree import directory_writer
from impasto.export.saved_model import ServedModel, load_as_server
from impasto.export.stateless import shared_writes
from impasto.export.warmup import read_warmup, write_warmup


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
                    requests = independent(read_requests(extras.golden, signatures_of(target)))
                    write_golden(target, served, requests, where=str(extras.golden))
        except (SavedModelError, contract.ContractError) as error:
            # The copy has a name that nobody knows, and is gone when somebody reads this.
            raise type(error)(str(error).replace(str(target), str(directory))) from error

    def describe(target: Path) -> Manifest:
        graph = read_meta_graph(target)
        return replace(
            Manifest(model=model, tensorflow=graph.meta_info_def.tensorflow_version or None),
            contract=_contract_name(model, target),
            signatures=tuple(signatures_of(target)),
            source={**({} if earlier is None else earlier.source), **extras.source},
            figures={} if earlier is None else earlier.figures,
            golden=golden_files(target),
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


def _contract_name(model: str, target: Path) -> str | None:
    """The name of the contract that the SavedModel keeps, which its callers may rely on; None where it keeps none."""
    found = contract_of(model, signatures_of(target))
    return None if found is None else found.name


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
        run_request(served, signature, inputs, f"{where}: request {place}")
