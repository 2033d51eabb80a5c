"""A failed call's gRPC status as the exception that stands for it, in words that a person can act on."""

from __future__ import annotations

import re
import shlex
from typing import Final

import grpc

from impasto.client import errors
from impasto.client._batching import UNBATCHED, batching_refusal
from impasto.client._calls import Call
from impasto.client.addresses import DEFAULT_PORT, endpoints, socket_path


def call_error(call: Call[object], code: grpc.StatusCode, details: str, *, address: str) -> errors.CallError:
    """The exception for a call that ended with `code`; raise it `from` the RpcError."""
    kind = batching_refusal(code, details) or errors.STATUS_ERRORS[code]
    if kind is errors.ServerOverloaded and _TOO_LARGE.search(details):
        kind = errors.MessageTooLarge
    # TensorFlow appends the graph's node on lines of its own; they stay in the exception's `details`.
    first_line = details.partition("\n")[0] or "no details"
    message = _SENTENCES[kind].format(
        address=address, remedy=how_to_start(address), model=call.model or "the model", details=first_line
    )
    return kind(message, code=code, details=details, address=address, model=call.model or None)


def tls_error(call: Call[object], reason: str, details: str, *, address: str) -> errors.TlsError:
    """The exception for a call that failed because of TLS."""
    return errors.TlsError(
        f"no trusted connection to {address}: {reason}",
        code=grpc.StatusCode.UNAVAILABLE,
        details=details,
        address=address,
        model=call.model or None,
    )


def how_to_start(address: str) -> str:
    """A sentence with the command that starts a server where one was looked for."""
    command = "Start one: impasto-serving local --models models"
    if path := socket_path(address):
        return f"{command} --grpc_socket_path {shlex.quote(path)}"
    ports = [port for _, port in endpoints(address)]
    return f"{command} --port {ports[0] if ports else DEFAULT_PORT}"


# A message beyond its limit has the status of an overloaded server, but waiting does not mend it. The words are those
# of gRPC's core (and so of TensorFlow Serving and of this client), of its Go, and of its Java and .NET implementations.
_TOO_LARGE: Final = re.compile(r"message (larger than|exceeds)", re.IGNORECASE)

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
    errors.DeadlineExceeded: (
        "{model} at {address} did not answer in time ({details}); allow a longer timeout or send less at once"
    ),
    errors.ServerOverloaded: (
        "{address} is out of threads, queue places or memory ({details}); try again later, with fewer calls at once or "
        "smaller pieces"
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
