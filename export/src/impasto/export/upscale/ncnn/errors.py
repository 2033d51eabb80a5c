"""The error of ncnn's files."""

from __future__ import annotations

from impasto.export.errors import ExportError


class NcnnError(ExportError):
    """Files that are damaged, do not belong together, or hold something that is not read here; it names the place."""
