"""What can go wrong, in two families.

While the server starts (raised to whoever starts it)::

    LocalServerError
    ├── RepositoryError   the models folder, or a model asked for, is not there
    ├── AddressError      the address cannot be listened on
    ├── ConfigError       a configuration file cannot be read or asks for what cannot be
    └── ModelLoadError    a model is corrupt or its warm-up failed

While it answers a call (sent to the caller as a gRPC status): `StatusError`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc

MESSAGE_LIMIT: Final = 1024
"""TensorFlow Serving sends at most this many bytes of a message."""

_TRUNCATED: Final = b"...TRUNCATED"


class LocalServerError(Exception):
    """The server could not start; the message says why and what to do."""


class RepositoryError(LocalServerError):
    """The models folder, or a model that was asked for, is not there."""


class AddressError(LocalServerError):
    """The address cannot be listened on."""


class ConfigError(LocalServerError):
    """A configuration file cannot be read, is not what its flag wants, or asks for what cannot be served."""


@dataclass(frozen=True)
class LoadFailure:
    """One version that did not load.

    Attributes:
        name: the model's name.
        version: its version.
        directory: the version's directory.
        error: what went wrong.
    """

    name: str
    version: int
    directory: Path
    error: StatusError


class ModelLoadError(LocalServerError):
    """At least one model did not become available.

    Attributes:
        failures: one entry for each version that did not load.
    """

    def __init__(self, failures: Sequence[LoadFailure]) -> None:
        self.failures = tuple(failures)
        places = "\n".join(
            f"Remedy: export {failure.name!r} again, or move {failure.directory} away so that the version "
            "before it is served."
            for failure in self.failures
        )
        super().__init__(
            f"Failed to start server. Error: {unavailable(self.failures, what='servable')}\n{places}"
        )


class StatusError(Exception):
    """A call's outcome other than OK.

    Attributes:
        code: the gRPC status code.
        message: the whole message; `wire_message` is what is sent.
    """

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(f"{code.name}: {message}")
        self.code = code
        self.message = message

    @property
    def wire_message(self) -> bytes:
        """The message cut to TensorFlow Serving's limit, `...TRUNCATED` appended where it was cut.

        The cut may fall inside a character, as TensorFlow Serving's does. gRPC for Python shows its caller then the
        whole text as Latin-1.
        """
        encoded = self.message.encode()
        if len(encoded) <= MESSAGE_LIMIT:
            return encoded
        return encoded[:MESSAGE_LIMIT] + _TRUNCATED


def unavailable(failures: Sequence[LoadFailure], *, what: str) -> StatusError:
    """The status of a start or a reload after which these versions are not available.

    TensorFlow Serving calls them servables at the start, and models after a reload.
    """
    listed = "".join(
        f"{{{{name: {failure.name} version: {failure.version}}} due to error: {failure.error}}}, "
        for failure in failures
    )
    message = f"{len(failures)} {what}(s) did not become available: {{{listed}}}"
    return StatusError(grpc.StatusCode.UNKNOWN, message)


def invalid_argument(message: str) -> StatusError:
    """An INVALID_ARGUMENT status."""
    return StatusError(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found(message: str) -> StatusError:
    """A NOT_FOUND status."""
    return StatusError(grpc.StatusCode.NOT_FOUND, message)
