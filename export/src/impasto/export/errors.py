"""The errors of an export, as one tree: everything a user can act on is an ExportError."""

from __future__ import annotations


class ExportError(Exception):
    """Bad input or a failed step of an export; the message names what to change."""
