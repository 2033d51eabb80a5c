"""Which versions a server with per-model batching batches, and which it must not.

The parameters lie in the version, where the exporter put them: versions are immutable and hashed, so they are checked
here and never written.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from impasto.client.signatures import MODELS
from impasto.serving.errors import ConfigError
from impasto.serving.schema.server_files_pb2 import BatchingParameters
from impasto.serving.text_files import read_text_file

FILE: Final = "batching_params.pbtxt"
"""Where a server with --enable_per_model_batching_parameters looks, relative to a version."""


def can_be_batched(model: str) -> bool:
    """Whether every input of a model has a first dimension along which requests can be joined.

    A server that batches refuses all others. True for models that the contract does not know.
    """
    known = MODELS.get(model)
    if known is None:
        return True
    return all(
        signature.inputs and all(spec.shape for spec in signature.inputs)
        for signature in known.signatures.values()
    )


def batching_of(model: str, version: Path) -> BatchingParameters | None:
    """The batching parameters of a version; None if it is not batched.

    Raises:
        ConfigError: they cannot be parsed, contradict themselves, or the model cannot be batched at all.
    """
    path = version / FILE
    if not path.exists():
        return None
    parameters = read_text_file(path, BatchingParameters())
    if not can_be_batched(model):
        raise ConfigError(
            f"{path}: {model} has scalar inputs, and a server that batches it refuses every request. "
            "Publish a version without the file."
        )
    sizes = list(parameters.allowed_batch_sizes)
    if sizes and (sizes != sorted(set(sizes)) or sizes[-1] != parameters.max_batch_size.value):
        raise ConfigError(f"{path}: allowed_batch_sizes must grow and end with max_batch_size")
    return parameters
