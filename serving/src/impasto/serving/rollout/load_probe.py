"""The process that `load_check` starts: it loads versions as TensorFlow Serving does and calls each once.

    python -m impasto.serving.rollout.load_probe DESCRIPTOR

Standard input carries a JSON object for each version (model, version, directory); DESCRIPTOR gets a JSON object for
each, in order. A model may do anything to this process, even end it: the process that asked is safe.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tensorflow_serving.apis import predict_pb2

from impasto.client import SignatureInfo
from impasto.client.errors import DecodeError
from impasto.client.repository import contract, manifest
from impasto.serving.errors import StatusError
from impasto.serving.local.predict import predict
from impasto.serving.local.servable import Servable
from impasto.serving.local.warm_up import warm_up


def probe(model: str, version: int, directory: Path) -> dict[str, Any]:
    """Load and call one version.

    Returns:
        The fields of `load_check.Loaded`; `error` only, if the version cannot be served.
    """
    try:
        servable = Servable(name=model, version=version, directory=directory)
        try:
            signatures = contract.read_signatures(
                {name: definition.SerializeToString() for name, definition in servable.signatures.items()}
            )
            records = warm_up(servable)
            called = [] if records else _call_without_inputs(servable, signatures)
        finally:
            servable.close()
    except (StatusError, DecodeError) as error:
        return {"error": str(error)}
    return {
        "signatures": list(signatures),
        "differences": _differences(model, signatures, directory),
        "records": records,
        "called": called,
    }


def _differences(model: str, signatures: Mapping[str, SignatureInfo], directory: Path) -> list[str]:
    """Return the differences from the version's contract, if it has one; signatures beyond it harm nobody."""
    try:
        told = manifest.Manifest.read(directory).contract
    except manifest.ManifestError:  # there is none
        told = None
    known = contract.contract_of(model, signatures, told=told)
    if known is None:
        return []
    return contract.differences(
        known, {name: signatures[name] for name in known.signatures if name in signatures}
    )


def _call_without_inputs(servable: Servable, signatures: Mapping[str, SignatureInfo]) -> list[str]:
    """Call each signature whose inputs all have defaults, and return their names; inputs for others are unknown."""
    called = [
        name
        for name, signature in signatures.items()
        if all(tensor.default is not None for tensor in signature.inputs.values())
    ]
    for name in called:
        request = predict_pb2.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = servable.name, name
        predict(servable, request, what_can_be_sent=True)
    return called


def _be_expendable() -> None:
    """Leave no core file, and be the first process that the system kills when memory runs out."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def main(descriptor: int) -> None:
    """Answer one line for each line of standard input."""
    _be_expendable()
    with os.fdopen(descriptor, "w") as answers:
        for line in sys.stdin:
            wanted = json.loads(line)
            found = probe(wanted["model"], wanted["version"], Path(wanted["directory"]))
            answers.write(json.dumps(found) + "\n")
            answers.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
