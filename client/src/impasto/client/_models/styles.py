"""Styles: paintings, the vectors that a model makes of them, and blends of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client._jobs.values import several, shares
from impasto.client.errors import InvalidInput
from impasto.client.model import Model
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
        """Return the vector at `share` of the way, 0 to 1, from this one to `other` of the same version."""
        values = ((1.0 - share) * self.values + share * other.values).astype(np.float32)
        return StyleVector(values, self.model, self.version)


StyleSource: TypeAlias = ImageSource | StyleVector
"""A painting, as any picture, or a style that `Client.style_vector` gave."""

Style: TypeAlias = Picture | StyleVector


class Blend(NamedTuple):
    """A style that is mixed of others.

    Attributes:
        styles: the styles, at least one.
        weights: the share of each; they add up to 1.
    """

    styles: tuple[Style, ...]
    weights: tuple[float, ...]


def read_blend(
    style: StyleSource | Sequence[StyleSource], weights: Sequence[float] | None, *, max_pixels: int
) -> Blend:
    """Read the styles of a job.

    Args:
        style: one, or a sequence of several.
        weights: one for each, 0 or more, at any scale; None weighs them equally.
        max_pixels: the largest width times height that is read.

    Raises:
        ImageError, OSError: the errors of `read_picture`.
    """
    given: tuple[StyleSource, ...] = several(style)
    styles = tuple(
        entry if isinstance(entry, StyleVector) else read_picture(entry, max_pixels=max_pixels)
        for entry in given
    )
    return Blend(styles, shares(weights, len(given)))


def pinned(model: Model, style: StyleSource | Sequence[StyleSource]) -> Model:
    """Return the version that made the vectors, where there are any: to another one they mean nothing.

    Raises:
        InvalidInput: a vector is of another model or version.
    """
    for entry in several(style):
        if not isinstance(entry, StyleVector):
            continue
        if entry.model != model.name or model.version not in (None, entry.version):
            wanted = model.name if model.version is None else f"{model.name} version {model.version}"
            raise InvalidInput(
                f"style: the style vector is of {entry.model} version {entry.version}, not of {wanted}: make it anew",
                model=model.name,
            )
        model = Model(model.name, entry.version)
    return model


def painting_batch(painting: Picture) -> NDArray[np.uint8]:
    """Return a painting as it is sent, uint8 [1, h, w, 3].

    The model looks at it in 256 x 256, so what is larger is reduced to that here, antialiased as there.
    """
    height, width = (min(side, STYLE_SIDE) for side in painting.rgb.shape[:2])
    image = Image.fromarray(painting.rgb)
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image)[np.newaxis]
