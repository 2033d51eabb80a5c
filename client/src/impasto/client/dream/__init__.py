"""DeepDream: options, progress and the job that drives the served model."""

from __future__ import annotations

from impasto.client.dream.description import DreamDescription
from impasto.client.dream.options import DreamKeywords, DreamOptions, Layers
from impasto.client.dream.progress import DreamProgress
from impasto.client.dream.zoom import zoom_in

__all__ = ["DreamDescription", "DreamKeywords", "DreamOptions", "DreamProgress", "Layers", "zoom_in"]
