"""The exit codes of the command."""

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

TABLE: Final = """
\b
Exit codes:
  0    everything was done
  1    some pictures failed; the others are done
  2    the command line is wrong, or there is nothing to do
  3    the server cannot be reached, or does not answer in time
  4    the model is not there, or the server refused the call
  130  interrupted by Ctrl-C
  141  whoever read the results went away
"""
"""The words about them in `impasto --help`."""


def of(error: errors.ImpastoError) -> int:
    """Return the exit code of a run that an error ended."""
    if isinstance(error, errors.ServerUnavailable | errors.TlsError | errors.DeadlineExceeded):
        return UNREACHABLE
    if isinstance(error, errors.CallError):
        return REFUSED
    return USAGE if isinstance(error, errors.SettingsError | errors.UnknownFormat) else FAILED
