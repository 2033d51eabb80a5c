"""Styles: paintings, the vectors that a model makes of them, and blends of both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client._values import several
from impasto.client.errors import InvalidInput
from impasto.client.pictures import ImageSource, Picture, read_picture
from impasto.client.signatures import STYLE_SIDE


@dataclass(frozen=True, eq=False)
class StyleVector:
    """The style of a painting, or a blend, as a served model sees it. It means something to that version alone.

    Attributes:
        values: float32 [N], read-only.
        model: the model's name on the server.
        version: the version that made it.
    """

    values: NDArray[np.float32]
    model: str
    version: int

    def mixed(self, other: StyleVector, share: float) -> StyleVector:
        """The vector at `share` of the way, 0 to 1, from this one to `other` of the same version."""
        values = ((1.0 - share) * self.values + share * other.values).astype(np.float32)
        return StyleVector(values, self.model, self.version)


StyleSource: TypeAlias = ImageSource | StyleVector
"""A painting, as any picture, or a style that `Client.style_vector` gave."""

Style: TypeAlias = Picture | StyleVector


@dataclass(frozen=True, eq=False)
class Blend:
    """What a photo is to look like.

    Attributes:
        styles: at least one.
        weights: the share of each; they add up to 1.
    """

    styles: tuple[Style, ...]
    weights: tuple[float, ...]


def read_blend(
    style: StyleSource | Sequence[StyleSource],
    weights: Sequence[float] | None,
    *,
    model: str,
    max_pixels: int,
) -> Blend:
    """The styles that a caller gives.

    Args:
        style: one, or a sequence of several.
        weights: one for each, 0 or more, at any scale; None weighs them equally.
        model: for messages.
        max_pixels: the largest width times height that is read.

    Raises:
        InvalidInput: no style, or weights that do not fit.
        ImageError, OSError, TypeError: as `read_picture`.
    """
    given: tuple[StyleSource, ...] = several(style)
    if not given:
        raise InvalidInput("style is an empty list: give at least one painting", model=model)
    parts = shares(weights, len(given), model=model)
    styles = tuple(
        entry if isinstance(entry, StyleVector) else read_picture(entry, max_pixels=max_pixels)
        for entry in given
    )
    return Blend(styles, parts)


def painting_batch(painting: Picture) -> NDArray[np.uint8]:
    """The painting as it is sent, uint8 [1, h, w, 3].

    The model looks at it in 256 x 256, so what is larger is reduced to that here, antialiased as there.
    """
    height, width = (min(side, STYLE_SIDE) for side in painting.rgb.shape[:2])
    image = Image.fromarray(painting.rgb)
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image)[np.newaxis]


def shares(weights: Sequence[float] | None, count: int, *, model: str) -> tuple[float, ...]:
    """The weights of `count` styles as parts of their sum; equal ones for None.

    Raises:
        InvalidInput: there are not as many, one is negative or no number, or all are zero.
    """
    if weights is None:
        return (1 / count,) * count
    if len(weights) != count:
        raise InvalidInput(f"{len(weights)} weights for {count} styles: give one for each", model=model)
    for weight in weights:
        if not (math.isfinite(weight) and weight >= 0):
            raise InvalidInput(f"weight {weight} of a style: it must be 0 or more", model=model)
    total = math.fsum(weights)
    if total == 0:
        raise InvalidInput("the weights of the styles sum to zero: make at least one positive", model=model)
    return tuple(weight / total for weight in weights)
