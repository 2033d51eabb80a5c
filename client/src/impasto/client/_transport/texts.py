"""Failures that a gRPC status does not tell apart, but the words with it do.

The words are those of gRPC's core, with which this client speaks to its server (recorded with 1.62, 1.71 and 1.85), and
where it is said, those of other servers. This is the only place that reads them.

Those of a server that batches are TensorFlow Serving 2.21's. This client's calls need no batches: no server that is
shipped with it makes them, but those of others may.
"""

from __future__ import annotations

import re
from typing import Final

import grpc

from impasto.client import errors

# A message beyond its limit has the status of an overloaded server, but waiting does not mend it. The words are those
# of gRPC's core (and so of TensorFlow Serving and of this client), of its Go, and of its Java and .NET implementations.
_TOO_LARGE: Final = re.compile(r"message (larger than|exceeds)", re.IGNORECASE)

# TensorFlow's words where its allocator, of a GPU or of the host, cannot give a kernel what it needs. Calls that run at
# the same time may have it; if not, only a smaller call helps.
_NO_MEMORY: Final = re.compile(
    r"OOM when allocating|failed to allocate memory|out of memory|CUDA_ERROR_OUT_OF_MEMORY", re.IGNORECASE
)

# From 1.8x on the core puts "Stream removed (...)" around all that it says of a stream that came to no proper end;
# before, it said that only where it knew nothing better. Of the codes of RST_STREAM those are here that proxies send
# when what is behind them went away: none, INTERNAL_ERROR, STREAM_CLOSED and CONNECT_ERROR. REFUSED_STREAM, CANCEL and
# ENHANCE_YOUR_CALM have statuses of their own; the others say that one of the two ends does not speak HTTP/2 well.
_RESET: Final = re.compile(r"RST_STREAM with error code (\d{1,9})\b")
_GONE_CODES: Final = frozenset({0, 2, 5, 10})
_BROKEN: Final = re.compile(
    r"Stream removed|Socket closed|GOAWAY received|(recv|send)msg:|keepalive watchdog timeout"
)
_BROKEN_STATUSES: Final = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL}
)

# An answer by HTTP/2 that is none of gRPC's: with a status other than 200, or without gRPC's trailers, or the wish for
# HTTP/1.1 (RST_STREAM code 13). Of the HTTP statuses, gRPC gives those that say "try again" (429, 502, 503 and 504),
# and 401 and 403, a status of their own.
_NOT_GRPC: Final = re.compile(
    r"Received http2 header with status|Data frame with END_STREAM flag received|No status received"
    r"|RST_STREAM with error code 13\b"
)
_NOT_GRPC_STATUSES: Final = frozenset({grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL})

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


def kind_of(code: grpc.StatusCode, details: str) -> type[errors.CallError]:
    """Return the class of the exception for a call that ended with this status and these words."""
    if refusal := _batching_refusal(code, details):
        return refusal
    kind = errors.STATUS_ERRORS[code]
    if kind is errors.ServerOverloaded and _TOO_LARGE.search(details):
        return errors.MessageTooLarge
    if kind is errors.ServerOverloaded and _NO_MEMORY.search(details):
        return errors.OutOfMemory
    if code in _NOT_GRPC_STATUSES and _NOT_GRPC.search(details):
        return errors.CallUnsupported
    if code in _BROKEN_STATUSES and _connection_broke(details):
        return errors.ConnectionLost
    return kind


def _connection_broke(details: str) -> bool:
    if details.startswith("failed to connect"):  # it never stood
        return False
    if reset := _RESET.search(details):
        return int(reset[1]) in _GONE_CODES
    return _BROKEN.match(details) is not None


def _batching_refusal(code: grpc.StatusCode, details: str) -> type[errors.CallError] | None:
    """Return the exception for what a server that batches refused; None for every other failure."""
    return next((kind for status, words, kind in _REFUSALS if status is code and words.search(details)), None)
