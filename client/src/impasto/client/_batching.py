"""The refusals of a server that batches, which the words tell and the gRPC status does not.

The words are those of TensorFlow Serving 2.21. This client's calls need no batches: no server that is shipped with it
makes them, but those of others may.
"""

from __future__ import annotations

import re
from typing import Final

import grpc

from impasto.client import errors

UNBATCHED: Final = (
    "To switch batching off, start the server without --enable_batching; or keep it for other models, with "
    "--enable_per_model_batching_parameters and without batching_params.pbtxt in the version of {model}"
)
"""The remedy, for a message that knows the `model`."""

# What depends on the calls that come at the same time passes; the rest is for the server's operator.
_REFUSALS: Final[tuple[tuple[grpc.StatusCode, re.Pattern[str], type[errors.CallError]], ...]] = (
    (
        grpc.StatusCode.FAILED_PRECONDITION,
        re.compile(r"from different tasks have different"),
        errors.BatchMismatch,
    ),
    (
        grpc.StatusCode.UNAVAILABLE,
        re.compile(r"queue to which this task was submitted"),
        errors.ServerOverloaded,
    ),
    (
        grpc.StatusCode.INVALID_ARGUMENT,
        re.compile(r"Batching Run\(\) |larger than maximum input batch size"),
        errors.NotBatchable,
    ),
    (grpc.StatusCode.FAILED_PRECONDITION, re.compile(r"Batched output tensor"), errors.NotBatchable),
)


def batching_refusal(code: grpc.StatusCode, details: str) -> type[errors.CallError] | None:
    """Return the exception for what a server that batches refused; None for every other failure."""
    return next((kind for status, words, kind in _REFUSALS if status is code and words.search(details)), None)
