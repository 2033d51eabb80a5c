"""The process that `load_check` starts: it loads versions as TensorFlow Serving does and calls each once.

    python -m impasto.serving.load_probe DESCRIPTOR

Standard input carries one JSON object a version (model, version, directory); DESCRIPTOR takes one JSON object for each,
in order. Nothing that a model does to this process, not even its end, reaches the process that asked.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tensorflow_serving.apis import predict_pb2

from impasto.client import contract
from impasto.client.errors import DecodeError
from impasto.client.metadata import SignatureInfo
from impasto.client.signatures import MODELS
from impasto.serving.errors import StatusError
from impasto.serving.predict import predict
from impasto.serving.servable import Servable
from impasto.serving.warmup import warm_up


def probe(model: str, version: int, directory: Path) -> dict[str, Any]:
    """The findings that a server would make in one version.

    Returns:
        `signatures` (names), `lacking` (those of the contract that it has not), `differences` of the others from the
        contract, `records` (warm-up records that ran) and `called` (signatures that were called without inputs); or
        `error`.
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
    contracted = MODELS[model].signatures if model in MODELS else {}
    return {
        "signatures": list(signatures),
        "lacking": [name for name in contracted if name not in signatures],
        "differences": _differences(model, signatures) if model in MODELS else [],
        "records": records,
        "called": called,
    }


def _differences(model: str, signatures: Mapping[str, SignatureInfo]) -> list[str]:
    """Differences of the signatures that contract and version both have, as not every source can offer all."""
    known = MODELS[model]
    both = {name: signature for name, signature in known.signatures.items() if name in signatures}
    return contract.differences(replace(known, signatures=both), {name: signatures[name] for name in both})


def _call_without_inputs(servable: Servable, signatures: Mapping[str, SignatureInfo]) -> list[str]:
    """Call each signature whose inputs all have defaults; nobody here knows what to send to the others."""
    called = [
        name
        for name, signature in signatures.items()
        if all(tensor.default is not None for tensor in signature.inputs.values())
    ]
    for name in called:
        request = predict_pb2.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = servable.name, name
        predict(servable, request)
    return called


def _be_expendable() -> None:
    """Leave no core file, and be the first to go when memory runs out."""
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
