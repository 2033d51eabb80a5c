"""From frame to frame of a zoom."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from images.pictures import pixels
from impasto.client import zoom_in


def test_zooming_in_keeps_the_size_the_mode_and_the_middle() -> None:
    image = Image.new("RGBA", (61, 41), (0, 0, 255, 255))
    image.putpixel((30, 20), (255, 0, 0, 255))
    image.info["dpi"] = (72, 72)
    closer = zoom_in(image, factor=3)
    assert (closer.mode, closer.size, closer.info["dpi"]) == ("RGBA", (61, 41), (72, 72))
    reds = np.argwhere(np.asarray(closer)[:, :, 0] > 128)
    assert reds.mean(axis=0).tolist() == [20, 30]
    assert len(reds) > 4


def test_a_factor_of_one_changes_nothing() -> None:
    image = Image.fromarray(pixels(20, 30))
    assert np.array_equal(np.asarray(zoom_in(image, factor=1)), np.asarray(image))


@pytest.mark.parametrize("factor", [0.99, 0.0, -1.0, float("nan"), float("inf")])
def test_one_cannot_zoom_out(factor: float) -> None:
    with pytest.raises(ValueError, match="it must be 1 or more"):
        zoom_in(Image.new("RGB", (8, 8)), factor=factor)
