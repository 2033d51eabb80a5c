"""A source of the stylizer: the computation and its origin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import tensorflow as tf

from impasto.export.errors import ExportError
from impasto.export.provenance import Provenance

HUB: Final = "hub"
PACKAGE: Final = "package"


class SourceError(ExportError):
    """A source that cannot be reached or is not the stylizer; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Stylizer:
    """The computation that a source gives, on float32 pictures in 0..1.

    Attributes:
        module: holds the variables; None where there are none.
        stylize: photos [B, H, W, 3] and as many paintings [B, h, w, 3] to at least [B, H, W, 3], the picture at
            the top left.
        minimum_style_side: the least height and width of a painting that the network can stand.
        maximum_pixels: the largest height times width of a photo that a call should take, for memory's sake.
        split: the two halves, where there are two.
        provenance: where it comes from.
    """

    module: tf.Module | None
    stylize: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    minimum_style_side: int
    maximum_pixels: int
    split: Split | None
    provenance: Provenance


@dataclass(frozen=True, kw_only=True)
class Split:
    """A stylizer in two halves.

    Attributes:
        predict: paintings [B, h, w, 3] to vectors [B, size].
        paint: photos and as many vectors to painted photos, as `Stylizer.stylize`.
        size: numbers in a style vector.
    """

    predict: Callable[[tf.Tensor], tf.Tensor]
    paint: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    size: int
