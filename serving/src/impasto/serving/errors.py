"""The errors of the server and of rollouts, in two families.

For people, who get an exception or one line of a command::

    LocalServerError
    ├── RepositoryError        the models folder, or a requested model, does not exist
    ├── AddressError           the server cannot listen on the address
    ├── ConfigError            a configuration file cannot be read or used
    │   └── FileChangedError   somebody else has changed a file during a rollout
    ├── ModelLoadError         a model is corrupt or its warm-up failed
    ├── VersionCheckError      a version failed the checks before a rollout
    └── RolloutError           a running server refused a configuration or did not load a version

For callers, who get a gRPC status: `StatusError`.
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
    """The server could not start, or a command could not do its work; the message says why and what to do."""


class RepositoryError(LocalServerError):
    """The models folder, or a requested model, does not exist."""


class AddressError(LocalServerError):
    """The server cannot listen on the address."""


class ConfigError(LocalServerError):
    """A configuration file cannot be read or written, or does not hold what its flag needs."""


class FileChangedError(ConfigError):
    """A file is not what it was when it was read: somebody else has written it since."""


class VersionCheckError(LocalServerError):
    """A version is damaged or cannot be served; no server was told of it."""


class RolloutError(LocalServerError):
    """A server refuses a configuration, or a version did not become available on it."""


@dataclass(frozen=True)
class LoadFailure:
    """One version that did not load.

    Attributes:
        name: the model's name.
        version: its version.
        directory: the version's directory.
        error: the reason.
    """

    name: str
    version: int
    directory: Path
    error: StatusError


class ModelLoadError(LocalServerError):
    """At least one model did not become available.

    Attributes:
        failures: an entry for each version that did not load.
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
    """The outcome of a call that fails.

    Attributes:
        code: the gRPC status code.
        message: the whole message; `wire_message` is sent.
    """

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(f"{code.name}: {message}")
        self.code = code
        self.message = message

    @property
    def wire_message(self) -> bytes:
        """The message cut to TensorFlow Serving's limit, `...TRUNCATED` appended where it was cut.

        The cut may fall inside a character, as TensorFlow Serving's does. gRPC for Python then shows the caller the
        whole text as Latin-1.
        """
        encoded = self.message.encode()
        if len(encoded) <= MESSAGE_LIMIT:
            return encoded
        return encoded[:MESSAGE_LIMIT] + _TRUNCATED


def reason(error: OSError | RuntimeError) -> str:
    """Return the system's words for a file's error. Before Python 3.13, a loop of links is a RuntimeError."""
    return getattr(error, "strerror", None) or str(error)


def unavailable(failures: Sequence[LoadFailure], *, what: str) -> StatusError:
    """Return the status of a start or a reload after which these versions are not available.

    TensorFlow Serving calls them servables at the start, and models after a reload.
    """
    listed = "".join(
        f"{{{{name: {failure.name} version: {failure.version}}} due to error: {failure.error}}}, "
        for failure in failures
    )
    message = f"{len(failures)} {what}(s) did not become available: {{{listed}}}"
    return StatusError(grpc.StatusCode.UNKNOWN, message)


def invalid_argument(message: str) -> StatusError:
    """Return an INVALID_ARGUMENT status."""
    return StatusError(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found(message: str) -> StatusError:
    """Return a NOT_FOUND status."""
    return StatusError(grpc.StatusCode.NOT_FOUND, message)
