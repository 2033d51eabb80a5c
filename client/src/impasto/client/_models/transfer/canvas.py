"""Pictures for people out of a transfer's states."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client._jobs import Size
from impasto.client._models.transfer.materials import Materials, resized
from impasto.client.pictures import keep_colours


@dataclass(frozen=True, kw_only=True, eq=False)
class TransferCanvas:
    """Makes the result, and the picture so far.

    Attributes:
        materials: the pictures.
        size: height and width of the result.
        preserve_color: whether to keep the content's colours.
    """

    materials: Materials
    size: Size
    preserve_color: bool

    def image(self, pixels: NDArray[Any] | None) -> Image.Image:
        """Return an image like the content, with its transparency; of gray it is only where its colours are kept.

        Args:
            pixels: uint8 [h, w, 3], or a state's image float32 [h, w, 3] in 0..1, of any size; None for the content.
        """
        picture, mask = self.materials.content, self.materials.mask
        original = resized(picture.rgb, self.size)
        if pixels is None:
            return picture.rebuild(original)
        painted = resized(_to_bytes(pixels), self.size)
        if self.preserve_color:
            painted = keep_colours(original, painted)
        if mask is not None:
            painted = _blended(original, painted, resized(mask, self.size))
        return replace(picture, gray=picture.gray and self.preserve_color).rebuild(painted)


def _to_bytes(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Cut off the fractions as the model's own `close` does, without rounding."""
    if pixels.dtype == np.uint8:
        return pixels
    # Where a model's numbers ran away, no pixel can tell them.
    with np.errstate(invalid="ignore", over="ignore"):
        return np.clip(np.float32(255.0) * pixels, 0, 255).astype(np.uint8)


def _blended(
    below: NDArray[np.uint8], above: NDArray[np.uint8], mask: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """`above` where the mask is white, `below` where it is black."""
    share = mask[..., np.newaxis].astype(np.float32) / 255.0
    return np.rint(below + share * (above.astype(np.float32) - below)).astype(np.uint8)
