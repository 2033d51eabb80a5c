"""The exit codes of the command; `impasto --help` shows the same table."""

from __future__ import annotations

from typing import Final

from impasto.client import errors

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
UNREACHABLE: Final = 3
REFUSED: Final = 4
INTERRUPTED: Final = 130
READER_GONE: Final = 141


def of(error: errors.ImpastoError) -> int:
    """Return the exit code of a run that an error ended."""
    if isinstance(error, errors.ServerUnavailable | errors.TlsError | errors.DeadlineExceeded):
        return UNREACHABLE
    if isinstance(error, errors.CallError):
        return REFUSED
    return USAGE if isinstance(error, errors.SettingsError | errors.UnknownFormat) else FAILED
