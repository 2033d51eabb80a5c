"""Animations are read frame by frame and written as GIF, WebP and APNG."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from impasto.client.errors import OutputExists
from impasto.client.pictures import to_frame, write_animation
from pictures import pixels


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
