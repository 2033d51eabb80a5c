"""What a person can ask of a style transfer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypedDict

from impasto.client.dream.options import Layers
from impasto.client.pictures import ImageSource

MAX_SIDE: Final = 512
"""The longest side, in pixels, in which a picture is painted unless told otherwise."""

CONTENT: Final = "content"
"""To begin with the content."""

NOISE: Final = "noise"
"""To begin with noise."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TransferOptions:
    """How to paint. A weight, a rate or layers that are None take what the served model suggests.

    Attributes:
        epochs: how often `steps_per_epoch` steps are done, at each size; 0 or more. The long recipe takes 100.
        steps_per_epoch: optimisation steps an epoch, 0 or more. Progress counts in epochs; the result depends on the
            product alone.
        weights: the share of each style where there are several, 0 or more, at any scale; None weighs them equally.
        style_scale: size of the style beside the painting, 0.1 to 10: its longest side is that many times the
            painting's. More gives larger strokes.
        style_weight: of the style in the loss, 0 to 1e10.
        content_weight: of the content in the loss, 0 to 1e10.
        total_variation_weight: of the differences between neighbouring pixels in the loss, 0 to 1e10. More gives a
            smoother painting.
        style_layers: the layers whose Gram matrices are the style, each with a weight 0 to 1e6 (1 where none is
            given), not all zero. `Client.describe_transfer` lists them.
        content_layers: likewise, the layers whose activations are the content.
        learning_rate: about how far a step moves a pixel in 0..1; 0 to 1.
        max_side: the longest side, in pixels, in which it is painted; None for the content's own. Smaller pictures are
            painted at their own size.
        pyramid: at how many sizes to paint, 1 to 10, from coarse to fine, each twice as large as the one before; the
            last is the full one. Large forms come out better, and three cost a third more than one.
        start: what to begin with: "content", "noise", or a picture, such as an earlier result (a path is a picture
            too; for a file of that very name write "./noise").
        seed: of the noise, 0 to 2**32 - 1.
        mask: a picture that says how strongly each place is painted: nothing where it is black, all where it is white.
            It is scaled to the content. None paints everywhere.
        preserve_color: keep the content's colours and take only the brightness of the painting.
        keep_size: enlarge the result to the content's own size. False leaves it at the size in which it was painted.
    """

    epochs: int = 10
    steps_per_epoch: int = 100
    weights: Sequence[float] | None = None
    style_scale: float = 1.0
    style_weight: float | None = None
    content_weight: float | None = None
    total_variation_weight: float | None = None
    style_layers: Layers | None = None
    content_layers: Layers | None = None
    learning_rate: float | None = None
    max_side: int | None = MAX_SIDE
    pyramid: int = 1
    start: ImageSource = CONTENT
    seed: int = 0
    mask: ImageSource | None = None
    preserve_color: bool = False
    keep_size: bool = True


class TransferKeywords(TypedDict, total=False):
    """TransferOptions as keyword arguments of a method; see there."""

    epochs: int
    steps_per_epoch: int
    weights: Sequence[float] | None
    style_scale: float
    style_weight: float | None
    content_weight: float | None
    total_variation_weight: float | None
    style_layers: Layers | None
    content_layers: Layers | None
    learning_rate: float | None
    max_side: int | None
    pyramid: int
    start: ImageSource
    seed: int
    mask: ImageSource | None
    preserve_color: bool
    keep_size: bool
