"""A failed call's gRPC status as the exception that stands for it, in words that a person can act on.

The words are those of gRPC's core, with which this client speaks to its server (recorded with 1.62, 1.71 and 1.85), and
where it is said, those of other servers. This is the only place that reads them.

Those of a server that batches are TensorFlow Serving 2.21's. This client's calls need no batches: no server that is
shipped with it makes them, but those of others may.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Final, TypeVar

import grpc

from impasto.client import errors
from impasto.client._transport.calls import Call
from impasto.client._transport.handshake import Refusal, refusal
from impasto.client.settings.addresses import DEFAULT_PORT, endpoints, join, socket_path
from impasto.client.settings.tls import TlsOptions

# A message beyond its limit has the status of an overloaded server, but waiting does not mend it. The words are those
# of gRPC's core (and so of TensorFlow Serving and of this client), of its Go, and of its Java and .NET implementations.
_TOO_LARGE: Final = r"(?i)message (larger than|exceeds)"

# TensorFlow's words where its allocator, of a GPU or of the host, cannot give a kernel what it needs. Calls that run at
# the same time may have it; if not, only a smaller call helps.
_NO_MEMORY: Final = (
    r"(?i)OOM when allocating|failed to allocate memory|out of memory|CUDA_ERROR_OUT_OF_MEMORY"
)

# From 1.8x on the core puts "Stream removed (...)" around all that it says of a stream that came to no proper end;
# before, it said that only where it knew nothing better. Of the codes of RST_STREAM those are here that proxies send
# when what is behind them went away: none, INTERNAL_ERROR, STREAM_CLOSED and CONNECT_ERROR. REFUSED_STREAM, CANCEL and
# ENHANCE_YOUR_CALM have statuses of their own; the others say that one of the two ends does not speak HTTP/2 well.
_RESET: Final = r"RST_STREAM with error code (\d{1,9})\b"
_GONE_CODES: Final = frozenset({0, 2, 5, 10})
_BROKEN: Final = r"Stream removed|Socket closed|GOAWAY received|(recv|send)msg:|keepalive watchdog timeout"
_BROKEN_STATUSES: Final = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL}
)

# An answer by HTTP/2 that is none of gRPC's: with a status other than 200, or without gRPC's trailers, or the wish for
# HTTP/1.1 (RST_STREAM code 13). Of the HTTP statuses, gRPC gives those that say "try again" (429, 502, 503 and 504),
# and 401 and 403, a status of their own.
_NOT_GRPC: Final = (
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
_REFUSALS: Final[tuple[tuple[grpc.StatusCode, str, type[errors.CallError]], ...]] = (
    (
        grpc.StatusCode.FAILED_PRECONDITION,
        r"from different tasks have different",
        errors.BatchMismatch,
    ),
    (
        grpc.StatusCode.UNAVAILABLE,
        r"queue to which this task was submitted",
        errors.ServerOverloaded,
    ),
    (
        grpc.StatusCode.INVALID_ARGUMENT,
        r"Batching Run\(\) |larger than maximum input batch size",
        errors.NotBatchable,
    ),
    (grpc.StatusCode.FAILED_PRECONDITION, r"Batched output tensor", errors.NotBatchable),
)


def kind_of(code: grpc.StatusCode, details: str) -> type[errors.CallError]:
    """Return the class of the exception for a call that ended with this status and these words."""
    if refusal := _batching_refusal(code, details):
        return refusal
    kind = errors.STATUS_ERRORS[code]
    if kind is errors.ServerOverloaded and re.search(_TOO_LARGE, details):
        return errors.MessageTooLarge
    if kind is errors.ServerOverloaded and re.search(_NO_MEMORY, details):
        return errors.OutOfMemory
    if code in _NOT_GRPC_STATUSES and re.search(_NOT_GRPC, details):
        return errors.CallUnsupported
    if code in _BROKEN_STATUSES and _connection_broke(details):
        return errors.ConnectionLost
    return kind


def _connection_broke(details: str) -> bool:
    if details.startswith("failed to connect"):  # it never stood
        return False
    if reset := re.search(_RESET, details):
        return int(reset[1]) in _GONE_CODES
    return re.match(_BROKEN, details) is not None


def _batching_refusal(code: grpc.StatusCode, details: str) -> type[errors.CallError] | None:
    """Return the exception for what a server that batches refused; None for every other failure."""
    return next(
        (kind for status, words, kind in _REFUSALS if status is code and re.search(words, details)), None
    )


ResultT = TypeVar("ResultT")


def call_error(call: Call[object], code: grpc.StatusCode, details: str, *, address: str) -> errors.CallError:
    """Return the exception for a call that ended with `code`, as the status and its words alone tell it."""
    if code is grpc.StatusCode.OK:
        return no_answer(call, address=address)
    kind = kind_of(code, details)
    # TensorFlow appends the graph's node on lines of its own; they stay in the exception's `details`.
    first_line = details.partition("\n")[0] or "no details"
    message = _SENTENCES[kind].format(
        address=address, remedy=how_to_start(address), model=call.model or "the model", details=first_line
    )
    return kind(message, code=code, details=details, address=address, model=call.model or None)


def no_answer(call: Call[object], *, address: str) -> errors.DecodeError:
    """Return the exception for a call that ended with the status OK, but without the message that is its answer."""
    return errors.DecodeError(
        f"{address} ended the call to {call.model or 'the server'} with the status OK, but sent no answer; is it "
        "TensorFlow Serving, and no proxy between drops what it says?",
        address=address,
        model=call.model or None,
    )


def parsed(call: Call[ResultT], payload: bytes | None, *, address: str) -> ResultT:
    """Read the response to a call.

    Args:
        call: what was sent.
        payload: the response; None, as gRPC gives it, if the status was OK but there was none.
        address: of the server, for the exception.

    Raises:
        DecodeError: there is no response, or it cannot be read.
    """
    if payload is None:
        raise no_answer(call, address=address)
    try:
        return call.parse(payload)
    except errors.DecodeError as error:
        error.address, error.model = address, call.model or None
        raise


def explained(error: errors.CallError, *, tls: TlsOptions | None) -> errors.CallError:
    """Return the exception to raise for a call that is not sent again.

    Where the server is unavailable, its replicas are asked why, which may take some seconds for each. A call that found
    a server which only refuses work for now is not.
    """
    is_away = error.code is grpc.StatusCode.UNAVAILABLE and isinstance(error, errors.ServerUnavailable)
    if not is_away or error.address is None:
        return error
    replicas = [(join(*endpoint), refusal(endpoint, tls)) for endpoint in endpoints(error.address)]
    against = [(name, found) for name, found in replicas if found is not None]
    if against and len(against) == len(replicas):
        return _refused(error, against)
    # A replica that refuses does not stop the others: what they lack, waiting may mend.
    note = "".join(f"; not the replica {name}: {found.reason}" for name, found in against)
    return error.in_words(f"{error}{note}") if note else error


def _refused(error: errors.CallError, against: Sequence[tuple[str, Refusal]]) -> errors.CallError:
    """The exception where every replica refuses the connection."""
    is_tls = all(found.is_tls for _, found in against)
    kind, what = (errors.TlsError, "trusted connection") if is_tls else (errors.CallUnsupported, "gRPC call")
    reasons = {found.reason: name for name, found in reversed(against)}
    said = (
        next(iter(reasons))
        if len(reasons) == 1
        else "; ".join(f"{name}: {why}" for why, name in reasons.items())
    )
    return error.as_kind(
        kind,
        f"no {what} to {error.address}: {said}",
    )


def how_to_start(address: str) -> str:
    """A sentence with the command that starts a server where one was looked for."""
    command = "Start one: impasto-serving local --models models"
    if path := socket_path(address):
        return f"{command} --grpc_socket_path {shlex.quote(path)}"
    ports = [port for _, port in endpoints(address)]
    return f"{command} --port {ports[0] if ports else DEFAULT_PORT}"


_SENTENCES: dict[type[errors.CallError], str] = {
    errors.InvalidInput: (
        "{model} refused the request: {details}; `impasto models --signatures {model} --server {address}` shows what "
        "it takes"
    ),
    errors.ModelNotFound: (
        "{model} is not served at {address} ({details}); `impasto models --server {address}` lists what is"
    ),
    errors.PreconditionFailed: (
        "{model} cannot run this call: {details}; `impasto status {model} --server {address}` shows its state, "
        "`impasto models --signatures {model}` what it can run"
    ),
    errors.ServerUnavailable: ("no model server answers at {address}. {remedy} ({details})"),
    errors.ConnectionLost: (
        "the connection to {address} broke under the call to {model} ({details}); it can safely be sent again"
    ),
    errors.DeadlineExceeded: (
        "{model} at {address} did not answer in time ({details}); allow a longer timeout or send less at once"
    ),
    errors.ServerOverloaded: (
        "{address} is out of threads, queue places or memory ({details}); try again later, with fewer calls at once or "
        "smaller pieces"
    ),
    errors.OutOfMemory: (
        "{address} does not have the memory for this call to {model} ({details}); send a smaller picture, or try again "
        "when the server has less to do"
    ),
    errors.BatchMismatch: (
        "{address} batches calls to {model} that come at the same time, and refuses them all where their pictures "
        f"differ in size, as they did now ({{details}}). {UNBATCHED}. Padding would change the pictures"
    ),
    errors.NotBatchable: (
        f"{{address}} batches calls to {{model}}, and this one cannot be batched: {{details}}. {UNBATCHED}"
    ),
    errors.MessageTooLarge: (
        "a message to or from {model} at {address} is too large ({details}); send smaller pieces, or raise the limit: "
        "max_message_bytes if you lowered it, else that of the server or of a proxy before it"
    ),
    errors.Unauthenticated: (
        "{address} wants credentials: {details}; give the token that it knows (token=, IMPASTO_TOKEN) or, for mTLS, a "
        "certificate (IMPASTO_TLS_CERT, IMPASTO_TLS_KEY); `impasto config` shows which are set"
    ),
    errors.PermissionDenied: (
        "{address} does not allow this call: {details}; the credentials that were sent are not enough for it: give "
        "others (token=, IMPASTO_TOKEN, IMPASTO_TLS_CERT), or have these allowed there"
    ),
    errors.CallUnsupported: (
        "{address} answers, but not as TensorFlow Serving does ({details}); is it the gRPC port, usually 8500?"
    ),
    errors.CallAborted: "the call to {model} at {address} was aborted: {details}; it can safely be sent again",
    errors.ServerFault: (
        "{model} at {address} failed: {details}; the server's log says more, and the call can safely be sent again"
    ),
}
