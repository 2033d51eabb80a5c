"""Paints the paintings of this folder anew: python examples/paintings/paint.py [FOLDER].

What they show is computed here, or comes from the photos of examples/photos, so they belong to nobody else.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
from brush import Brushwork, Pixels, paint
from numpy.typing import NDArray
from PIL import Image

HERE = Path(__file__).resolve().parent
PHOTOS = HERE.parent / "photos"
SIDE = 384
JPEG_QUALITY = 86

Plane = NDArray[np.float32]


def main(folder: Path) -> None:
    """Write every painting into `folder`."""
    for name, (picture, brushwork, seed) in paintings().items():
        image = paint(picture, brushwork, seed=seed)
        image.save(folder / f"{name}.jpg", quality=JPEG_QUALITY, optimize=True)
        sys.stdout.write(f"{folder / name}.jpg\n")


def paintings() -> dict[str, tuple[Pixels, Brushwork, int]]:
    """Each painting's picture, how it is painted, and the seed of its accidents."""
    return {
        "night": (
            night(),
            Brushwork(
                radii=(11, 7, 4), length=10, spacing=0.9, tolerance=0.1, hue=0.05, bristle=0.09, relief=0.9,
                field=whirls, ground=(0.1, 0.13, 0.3),
            ),
            1,
        ),
        "meadow": (
            meadow(),
            Brushwork(
                radii=(11, 8, 6), length=0, spacing=1.3, tolerance=0.12, hue=0.12, relief=0.5,
                ground=(0.95, 0.9, 0.75),
            ),
            2,
        ),
        "cat": (
            photo("chelsea.png", (60, 0, 360, 300), warmth=(1.25, 0.92, 0.55)),
            Brushwork(radii=(16, 10, 6), length=7, tolerance=0.12, hue=0.05, bristle=0.06, relief=0.8),
            3,
        ),
        "surf": (
            surf(),
            Brushwork(
                radii=(17, 10, 6), length=6, spacing=0.8, tolerance=0.14, hue=0.035, bristle=0.05, relief=1.3,
                ground=(0.75, 0.25, 0.15),
            ),
            4,
        ),
    }  # fmt: skip


def night() -> Pixels:
    """A dark blue sky full of yellow lights over black hills."""
    x, y = _plane()
    noise = _noise(5, cells=5)
    sky = _between((0.05, 0.1, 0.35), (0.35, 0.6, 0.8), 0.25 + 0.5 * y + 0.5 * noise)
    for cx, cy, r in (
        (0.78, 0.18, 0.075),
        (0.2, 0.14, 0.03),
        (0.45, 0.27, 0.035),
        (0.58, 0.1, 0.02),
        (0.1, 0.4, 0.025),
        (0.9, 0.45, 0.025),
    ):
        distance = np.hypot(x - cx, y - cy)
        sky = _over(sky, (1.0, 0.88, 0.35), np.exp(-((distance / (2.2 * r)) ** 2)))
        sky = _over(sky, (1.0, 0.97, 0.75), _inside(r - distance, 0.02))
    for base, tone, seed in ((0.68, (0.1, 0.22, 0.3), 6), (0.8, (0.05, 0.12, 0.16), 7)):
        ridge = base + 0.12 * (_noise(seed, cells=4)[0] - 0.5)[None, :]
        sky = _over(sky, tone, _inside(y - ridge, 0.015))
    for cx, cy in ((0.25, 0.86), (0.33, 0.9), (0.52, 0.85), (0.61, 0.91), (0.74, 0.88)):
        sky = _over(sky, (0.98, 0.7, 0.2), np.exp(-((np.hypot(x - cx, y - cy) / 0.018) ** 2)))
    return sky


def whirls(x: float, y: float) -> tuple[float, float]:
    """Strokes that circle around the lights and run level below."""
    vx, vy = 1.0, 0.15 * math.sin(9 * x)
    for cx, cy, spin in ((0.78, 0.18, 1.0), (0.33, 0.25, -1.2), (0.58, 0.42, 0.9)):
        dx, dy = x - cx, y - cy
        pull = 2.4 * math.exp(-((math.hypot(dx, dy) / 0.22) ** 2))
        vx, vy = vx - spin * pull * dy / 0.15, vy + spin * pull * dx / 0.15
    length = math.hypot(vx, vy) or 1.0
    return vx / length, vy / length


def meadow() -> Pixels:
    """A bright field with poppies, trees and a pale sky."""
    x, y = _plane()
    scene = _between((0.62, 0.8, 0.95), (0.98, 0.9, 0.75), y / 0.4)
    scene = _over(scene, (0.97, 0.97, 0.95), 0.8 * np.clip(3 * (_noise(11, cells=6) - 0.55), 0, 1))
    grass = _between(
        (0.75, 0.8, 0.3), (0.25, 0.55, 0.2), (y - 0.4) / 0.6 + 0.35 * (_noise(12, cells=14) - 0.5)
    )
    scene = _blend(scene, grass, _inside(y - 0.42 - 0.03 * np.sin(5 * x), 0.01))
    for cx, r in ((0.12, 0.09), (0.24, 0.07), (0.72, 0.1), (0.86, 0.13)):
        crown = _inside(
            r - np.hypot(x - cx, 0.85 * (y - 0.42 + 0.7 * r)) + 0.05 * (_noise(int(99 * cx), cells=9) - 0.5),
            0.02,
        )
        scene = _over(scene, (0.16, 0.36, 0.26), crown)
    rng = np.random.default_rng(13)
    for _ in range(90):
        cx, depth = rng.random(), rng.random() ** 0.7
        r = 0.006 + 0.022 * depth
        tone = (0.9, 0.2, 0.12) if rng.random() < 0.75 else (0.95, 0.85, 0.9)
        scene = _over(scene, tone, _inside(r - np.hypot(x - cx, 1.3 * (y - 0.48 - 0.5 * depth)), 0.006))
    return scene


def surf() -> Pixels:
    """A red sun over breaking waves."""
    x, y = _plane()
    scene = _between((0.93, 0.55, 0.25), (0.98, 0.85, 0.55), y / 0.5 + 0.3 * (_noise(21, cells=4) - 0.5))
    scene = _over(scene, (0.85, 0.16, 0.1), _inside(0.13 - np.hypot(x - 0.66, y - 0.3), 0.008))
    for number in range(6):
        base = 0.46 + 0.1 * number
        crest = (
            base
            + (0.02 + 0.008 * number) * np.sin((13 - 1.2 * number) * x + 2.1 * number)
            + 0.05 * (_noise(30 + number, cells=5) - 0.5)
        )
        tone = _mix((0.1, 0.42, 0.45), (0.03, 0.16, 0.25), number / 5)
        scene = _over(scene, tone, _inside(y - crest, 0.008))
        scene = _over(
            scene,
            (0.96, 0.93, 0.84),
            np.exp(-(((y - crest - 0.012) / 0.014) ** 2))
            * np.clip(2.2 * _noise(40 + number, cells=10) - 0.5, 0, 1),
        )
    return scene


def photo(name: str, box: tuple[int, int, int, int], *, warmth: tuple[float, float, float]) -> Pixels:
    """A square of a photo, its channels weighted."""
    with Image.open(PHOTOS / name) as image:
        square = image.convert("RGB").crop(box).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    pixels = np.asarray(square, np.float32) / 255
    contrast = np.clip(0.5 + 1.35 * (pixels - 0.5), 0, 1)
    return np.clip(contrast * np.array(warmth, np.float32), 0, 1)


def _plane() -> tuple[Plane, Plane]:
    """x and y of each pixel, 0 to 1."""
    line = (np.arange(SIDE, dtype=np.float32) + 0.5) / SIDE
    return np.broadcast_to(line[None, :], (SIDE, SIDE)), np.broadcast_to(line[:, None], (SIDE, SIDE))


def _noise(seed: int, *, cells: int) -> Plane:
    """Smooth noise, 0 to 1, of about `cells` hills a side, with finer ones upon them."""
    rng = np.random.default_rng(seed)
    total = np.zeros((SIDE, SIDE), np.float32)
    for octave in range(3):
        coarse = Image.fromarray(rng.random((cells << octave, cells << octave), np.float32))
        total += np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC)) / 2**octave
    return (total - total.min()) / (total.max() - total.min())


def _inside(distance: Plane, softness: float) -> Plane:
    """1 where the distance is positive, 0 where it is not, soft between."""
    return np.clip(0.5 + distance / softness, 0, 1)


Colour = tuple[float, float, float]


def _mix(first: Colour, second: Colour, share: float) -> Colour:
    red, green, blue = (a + (b - a) * share for a, b in zip(first, second, strict=True))
    return red, green, blue


def _between(first: Colour, second: Colour, share: Plane) -> Pixels:
    part = np.clip(share, 0, 1)[..., None]
    return (1 - part) * np.array(first, np.float32) + part * np.array(second, np.float32)


def _blend(below: Pixels, above: Pixels, cover: Plane) -> Pixels:
    return below + (above - below) * cover[..., None]


def _over(below: Pixels, colour: Colour, cover: Plane) -> Pixels:
    return _blend(below, np.broadcast_to(np.array(colour, np.float32), below.shape), cover)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
