"""From frame to frame, and frames to a GIF."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from impasto.client.pictures import to_frame, write_animation
from PIL import Image

from impasto.client import zoom_in
from impasto.client.errors import OutputExists
from pictures import pixels


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


def test_frames_become_a_gif_that_repeats(tmp_path: Path) -> None:
    colours = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]
    frames = [to_frame(Image.new("RGB", (30, 20), colour)) for colour in colours]
    write_animation(tmp_path / "a.gif", frames, milliseconds=50)
    with Image.open(tmp_path / "a.gif") as gif:
        for number, colour in enumerate(colours):
            gif.seek(number)
            assert gif.convert("RGB").getpixel((5, 5)) == colour
            assert (gif.info["duration"], gif.info["loop"]) == (50, 0)
    with pytest.raises(OutputExists):
        write_animation(tmp_path / "a.gif", frames)
    write_animation(tmp_path / "a.gif", frames[:1], overwrite=True)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_a_frame_may_be_made_of_any_result(mode: str) -> None:
    frame = to_frame(Image.fromarray(pixels(20, 30, 4)).convert(mode))
    assert (frame.mode, frame.size) == ("P", (30, 20))


def test_transparency_becomes_white() -> None:
    frame = to_frame(Image.new("RGBA", (4, 4), (200, 0, 0, 0)))
    assert frame.convert("RGB").getpixel((1, 1)) == (255, 255, 255)
