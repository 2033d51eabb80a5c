"""Everything that the client raises on purpose, in one tree.

    ImpastoError
    ├── SettingsError                   a setting of the client cannot be used (also a ValueError)
    │   ├── AddressError                the server's address
    │   └── CertificateError            a TLS certificate or key
    ├── CallError                       a call failed; carries code, details, address and model
    │   ├── InvalidInput                inputs, version label or outputs were refused (also a ValueError)
    │   ├── ModelNotFound               no such model or version
    │   │   └── VersionGone             the version that the job began with is no longer served
    │   ├── PreconditionFailed          the model cannot run this call
    │   │   └── SignatureNotFound       it has no such signature
    │   ├── ServerUnavailable           nobody answers at the address (also a ConnectionError)
    │   │   └── ConnectionLost          the connection broke under the call
    │   ├── TlsError                    server and client do not trust each other (also a ConnectionError)
    │   ├── DeadlineExceeded            no answer in time (also a TimeoutError)
    │   ├── ServerOverloaded            the server is out of threads, queue or memory
    │   │   ├── OutOfMemory             it does not have the memory for this call
    │   │   └── BatchMismatch           it batches calls, and pictures of different sizes met
    │   ├── NotBatchable                the server batches calls, and this one cannot be batched
    │   ├── MessageTooLarge             the request or the answer is beyond a limit
    │   ├── Unauthenticated             the server wants credentials
    │   ├── PermissionDenied            the credentials do not allow this
    │   ├── CallUnsupported             what answers there is not TensorFlow Serving's gRPC port
    │   ├── CallAborted                 the call was cancelled or aborted
    │   ├── ClientClosed                the client is closed
    │   ├── ForkedProcess               gRPC did not survive the fork of this process (also a RuntimeError)
    │   ├── WrongEventLoop              an AsyncClient is at work in another event loop (also a RuntimeError)
    │   └── ServerFault                 the server failed
    │       └── DecodeError             its answer is not what the API promises
    ├── ImageError                      a picture cannot be used (also a ValueError)
    │   ├── NotAnImage                  no image, or a format that is not read
    │   ├── TruncatedImage              the data ends early or is damaged
    │   ├── EmptyImage                  no bytes or no pixels
    │   ├── ImageTooLarge               more pixels than the limit
    │   └── UnsupportedImage            an array or a mode with no clear meaning as a picture
    ├── CheckpointError                 a checkpoint is damaged, or of another job (also a ValueError)
    └── OutputError                     a result cannot be written
        ├── UnknownFormat               no image format has this extension (also a ValueError)
        ├── OutputExists                the file is there and may not be replaced (also a FileExistsError)
        └── UnwritableOutput            the operating system says no (also an OSError)

An input file that cannot be opened raises Python's own OSError (FileNotFoundError and its kin). A
`grpc.RpcError` never reaches the caller; it is the `__cause__` of the CallError that stands for it.

A message may hold what a server, a model or a file says. `str(error)` shows it with control characters escaped, and
at most 4,000 characters of it; the attribute `details` is what the server sent.
"""

# ruff: noqa: N818 - the names say what happened (ModelNotFound), as in httpx and grpc; the base classes end in Error
from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeVar

import grpc

from impasto.client.texts import LONGEST, printable

if TYPE_CHECKING:
    from typing_extensions import Self


_ErrorT = TypeVar("_ErrorT", bound="CallError")


class ImpastoError(Exception):
    """The root: catch this to catch everything that the client raises on purpose."""

    def __str__(self) -> str:
        return printable(super().__str__(), longest=LONGEST)


class SettingsError(ImpastoError, ValueError):
    """A setting cannot be used; the message names the argument, the variable or the file and key, and the remedy."""


class AddressError(SettingsError):
    """The server's address cannot be parsed or resolved."""


class CertificateError(SettingsError):
    """A file for TLS cannot be read, is not what it should be, or does not go with another."""


class CallError(ImpastoError):
    """A call failed.

    Attributes:
        code: the gRPC status; None where the client refused before sending or could not read the answer.
        details: the server's own words as it sent them, possibly empty; `printable` makes them safe to show.
        address: the server's address as the client was given it; None if the call was never sent.
        model: the model that was called; None if there was none.
    """

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode | None = None,
        details: str = "",
        address: str | None = None,
        model: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.details = details
        self.address = address
        self.model = model

    def in_words(self, message: str) -> Self:
        """Return the same failure with another message."""
        return self.as_kind(type(self), message)

    def as_kind(self, kind: type[_ErrorT], message: str) -> _ErrorT:
        """Return the same failure as another kind of error, which says more."""
        return kind(message, code=self.code, details=self.details, address=self.address, model=self.model)


class InvalidInput(CallError, ValueError):
    """The inputs, the version label or the wanted outputs do not fit the model."""


class ModelNotFound(CallError):
    """The server has no such model, or not this version of it."""


class VersionGone(ModelNotFound):
    """The version with which a job began is no longer served, and another one would give another result."""


class PreconditionFailed(CallError):
    """The model is there but is not in a state, or not made, to run this call."""


class SignatureNotFound(PreconditionFailed):
    """The model has no signature of this name; the message lists those it has."""


class ServerUnavailable(CallError, ConnectionError):
    """Nobody answers at the address, or the server refuses work for now."""


class ConnectionLost(ServerUnavailable):
    """The connection broke before the answer was there, as when the server is killed in the middle of the call."""


class TlsError(CallError, ConnectionError):
    """The TLS handshake failed: the message says which certificate was refused, and why."""


class DeadlineExceeded(CallError, TimeoutError):
    """No answer came within the timeout."""


class ServerOverloaded(CallError):
    """The server is out of threads, queue places or memory."""


class OutOfMemory(ServerOverloaded):
    """The server, or its GPU, does not have the memory for this call: beside others, or at all."""


class BatchMismatch(ServerOverloaded):
    """The server batches calls, and refused several together because their pictures differ in size.

    Alone, or beside others of the same size, each of them is answered.
    """


class NotBatchable(CallError):
    """The server batches calls, and refuses this one whatever comes with it, because it cannot be part of a batch."""


class MessageTooLarge(CallError):
    """The request or the answer is larger than the client, the server or a proxy between them allows."""


class Unauthenticated(CallError):
    """The server wants credentials that were not sent or not accepted."""


class PermissionDenied(CallError):
    """The credentials are known but do not allow this call."""


class CallUnsupported(CallError):
    """The server at the address does not offer TensorFlow Serving's API by gRPC."""


class CallAborted(CallError):
    """The call was cancelled or aborted before it finished."""


class ClientClosed(CallError):
    """The client was closed before the call was sent."""


class ForkedProcess(CallError, RuntimeError):
    """The process was forked while gRPC was at work in its parent, so no client can be used in it."""


class WrongEventLoop(CallError, RuntimeError):
    """An AsyncClient was called in one event loop while another, to which it belongs, was running."""


class ServerFault(CallError):
    """The server failed while it worked on the call."""


class DecodeError(ServerFault):
    """The server's answer is not what the API or the model's contract promises."""


class ImageError(ImpastoError, ValueError):
    """A picture cannot be used."""


class NotAnImage(ImageError):
    """The data is not an image, or of a format that is not read."""


class TruncatedImage(ImageError):
    """The image's data ends early or is damaged."""


class EmptyImage(ImageError):
    """The image has no bytes or no pixels."""


class ImageTooLarge(ImageError):
    """The image has more pixels than the limit allows."""


class UnsupportedImage(ImageError):
    """The array's or image's type has no clear 8-bit meaning; the message says how to convert it."""


class CheckpointError(ImpastoError, ValueError):
    """A checkpoint cannot be read, or the job that it is of is not the one that should go on."""


class OutputError(ImpastoError):
    """A result cannot be written."""


class UnknownFormat(OutputError, ValueError):
    """No image format that can be written has this file extension."""


class OutputExists(OutputError, FileExistsError):
    """The output file exists and may not be replaced."""


class UnwritableOutput(OutputError, OSError):
    """The operating system refused to write the output."""


STATUS_ERRORS: Final[Mapping[grpc.StatusCode, type[CallError]]] = MappingProxyType(
    {
        grpc.StatusCode.CANCELLED: CallAborted,
        grpc.StatusCode.UNKNOWN: ServerFault,
        grpc.StatusCode.INVALID_ARGUMENT: InvalidInput,
        grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
        grpc.StatusCode.NOT_FOUND: ModelNotFound,
        grpc.StatusCode.ALREADY_EXISTS: CallAborted,
        grpc.StatusCode.PERMISSION_DENIED: PermissionDenied,
        grpc.StatusCode.RESOURCE_EXHAUSTED: ServerOverloaded,
        grpc.StatusCode.FAILED_PRECONDITION: PreconditionFailed,
        grpc.StatusCode.ABORTED: CallAborted,
        grpc.StatusCode.OUT_OF_RANGE: InvalidInput,
        grpc.StatusCode.UNIMPLEMENTED: CallUnsupported,
        grpc.StatusCode.INTERNAL: ServerFault,
        grpc.StatusCode.UNAVAILABLE: ServerUnavailable,
        grpc.StatusCode.DATA_LOSS: ServerFault,
        grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    }
)
"""Every gRPC status but OK, and the exception that stands for it."""
