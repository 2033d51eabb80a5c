"""Painting photos in the style of paintings: vectors, blends, and the job that drives the served model."""

from __future__ import annotations

from impasto.client.stylize.job import MAX_SIDE
from impasto.client.stylize.style import StyleSource, StyleVector

__all__ = ["MAX_SIDE", "StyleSource", "StyleVector"]
