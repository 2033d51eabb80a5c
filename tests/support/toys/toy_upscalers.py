"""Upscalers without weights: quick, of any factors, and as good as bicubic interpolation."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import tensorflow as tf

from impasto.export.resizing import bicubic_enlarged
from impasto.export.upscale.publish import publish
from impasto.export.upscale.upscaler import Enlarger, Upscaler


def write_enlarger(models: Path) -> None:
    """Publish `enlarger`, an upscaler by 3, its first factor, and 4."""
    publish(bicubic_upscaler(3, 4, tile=40, maximum_pixels=1 << 18), "enlarger", models, source={})


def bicubic_upscaler(*factors: int, **told: Any) -> Upscaler:
    """Bicubic interpolation as an upscaler; `told` are further fields."""
    enlargers = {factor: Enlarger(partial(bicubic_enlarged, factor=factor), 2) for factor in factors}
    about = {"network": "bicubic", "weights": "none", "module": tf.Module()} | told
    return Upscaler(enlargers=enlargers, **about)
