"""Painterly rendering: a picture painted anew with curved brush strokes, from broad to fine.

The strokes follow Hertzmann, "Painterly Rendering with Curved Brush Strokes of Multiple Sizes", 1998: each starts where
the canvas is farthest from the picture, runs across the picture's gradient, and ends where its colour no longer helps.
Here a stroke is a bundle of bristles that each carry a little more or less paint, and light falls on the paint.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Pixels = NDArray[np.float32]
"""float32 [H, W, 3], 0 to 1."""

Field = Callable[[float, float], tuple[float, float]]
"""The direction of a stroke at x, y (0 to 1), as a vector of length 1."""

_SCALE = 2  # strokes are drawn twice as large and reduced, which smooths their edges


@dataclass(frozen=True, kw_only=True)
class Brushwork:
    """How someone paints.

    Attributes:
        radii: of the brushes in pixels, one layer of paint for each.
        length: of a stroke at most, in brush radii; 0 makes dabs.
        spacing: of strokes, in brush radii.
        tolerance: how far the canvas may be from the picture, in 0..1 of all three channels, before it is painted over.
        hue: how far strokes vary in each channel, 0 to 1.
        bristle: how far the bristles of one stroke vary in brightness, 0 to 1.
        relief: how strongly light falls on the paint's thickness.
        field: the strokes' direction; None follows the picture.
        ground: the canvas before it is painted, red, green and blue in 0..1.
    """

    radii: tuple[float, ...]
    length: float
    spacing: float = 1.0
    tolerance: float = 0.08
    hue: float = 0.03
    bristle: float = 0.08
    relief: float = 0.5
    field: Field | None = None
    ground: tuple[float, float, float] = (0.82, 0.76, 0.64)


def paint(picture: Pixels, brushwork: Brushwork, *, seed: int) -> Image.Image:
    """The picture as a painting of the same size."""
    height, width = picture.shape[:2]
    size = (width * _SCALE, height * _SCALE)
    ground = tuple(round(255 * value) for value in brushwork.ground)
    canvas = _Canvas(Image.new("RGB", size, ground), Image.new("L", size, 60), np.random.default_rng(seed))
    for radius in brushwork.radii:
        _layer(canvas, _blurred(picture, radius / 2), radius, brushwork)
    return _lit(canvas, brushwork.relief).resize((width, height), Image.Resampling.LANCZOS)


@dataclass(frozen=True)
class _Canvas:
    """Colour and thickness of the paint, both `_SCALE` times as large as the picture."""

    colour: Image.Image
    thickness: Image.Image
    rng: np.random.Generator

    def seen(self, width: int, height: int) -> Pixels:
        small = self.colour.resize((width, height), Image.Resampling.BOX)
        return np.asarray(small, np.float32) / 255

    def stroke(self, path: list[tuple[float, float]], radius: float, colour: Pixels, bristle: float) -> None:
        """Draw bristles side by side along the path; a dab where it is a point."""
        draw, thick = ImageDraw.Draw(self.colour), ImageDraw.Draw(self.thickness)
        points = np.array(path, np.float32) * _SCALE
        if len(points) == 1:
            self.dab(points[0], radius * _SCALE, colour)
            return
        along = np.gradient(points, axis=0)
        across = np.stack([-along[:, 1], along[:, 0]], axis=1)
        across /= np.linalg.norm(across, axis=1, keepdims=True) + 1e-6
        count = max(2, round(radius * _SCALE / 1.5))
        for offset in self.rng.permutation(np.linspace(-1, 1, count)):
            # Ends of different lengths, as bristles lift off at different times.
            start = self.rng.integers(0, 1 + len(points) // 5)
            line = points[start:] + across[start:] * (offset * radius * _SCALE * np.sqrt(1 - 0.3 * offset**2))
            shade = np.clip(colour + self.rng.normal(0, bristle), 0, 1)
            load = int(np.clip(150 - 60 * abs(offset) + self.rng.normal(0, 35), 30, 255))
            flat = [float(value) for value in line.ravel()]
            if len(flat) < 4:
                continue
            width = max(2, round(2.4 * radius * _SCALE / count))
            draw.line(flat, fill=tuple(int(255 * value) for value in shade), width=width, joint="curve")
            thick.line(flat, fill=load, width=width, joint="curve")

    def dab(self, place: NDArray[np.float32], radius: float, colour: Pixels) -> None:
        """Touch the canvas with the tip of the brush."""
        half = radius * self.rng.uniform(0.7, 1.1, 2)
        box = [float(value) for value in (*(place - half), *(place + half))]
        fill = tuple(int(255 * value) for value in colour)
        ImageDraw.Draw(self.colour).ellipse(box, fill=fill)
        ImageDraw.Draw(self.thickness).ellipse(box, fill=int(self.rng.integers(90, 220)))


def _layer(canvas: _Canvas, goal: Pixels, radius: float, brushwork: Brushwork) -> None:
    height, width = goal.shape[:2]
    seen = canvas.seen(width, height)
    error = np.abs(goal - seen).sum(axis=2)
    luma = goal @ np.array([0.3, 0.59, 0.11], np.float32)
    down, right = np.gradient(luma)
    step = max(1, round(brushwork.spacing * radius))
    cells = [(x, y) for y in range(0, height, step) for x in range(0, width, step)]
    for i in canvas.rng.permutation(len(cells)):
        x, y = cells[i]
        area = error[y : y + step, x : x + step]
        first = radius == brushwork.radii[0]
        if not first and area.mean() < brushwork.tolerance:
            continue
        dy, dx = np.unravel_index(int(area.argmax()), area.shape)
        start = (x + float(dx) + 0.5, y + float(dy) + 0.5)
        colour = goal[int(start[1]), int(start[0])]
        path = _path(start, goal, seen, (right, down), radius, brushwork)
        varied = np.clip(colour + canvas.rng.normal(0, brushwork.hue, 3), 0, 1).astype(np.float32)
        canvas.stroke(path, radius, varied, brushwork.bristle)


def _path(
    start: tuple[float, float],
    goal: Pixels,
    seen: Pixels,
    gradient: tuple[NDArray[np.float32], NDArray[np.float32]],
    radius: float,
    brushwork: Brushwork,
) -> list[tuple[float, float]]:
    height, width = goal.shape[:2]
    x, y = start
    colour = goal[int(y), int(x)]
    path, heading = [start], None
    for number in range(round(brushwork.length)):
        row, column = int(y), int(x)
        gone = np.abs(goal[row, column] - seen[row, column]).sum()
        if number > 2 and gone < np.abs(goal[row, column] - colour).sum():
            break
        direction = np.array([-gradient[1][row, column], gradient[0][row, column]])
        strength = float(np.hypot(*direction))
        if brushwork.field is not None:
            direction = np.array(brushwork.field(x / width, y / height))
        elif strength < 1e-3:
            direction = np.array([1.0, 0.35]) if heading is None else heading
        direction = direction / (np.hypot(*direction) + 1e-9)
        if heading is not None:
            direction = direction if direction @ heading >= 0 else -direction
            direction = 0.6 * direction + 0.4 * heading
            direction /= np.hypot(*direction) + 1e-9
        x, y = x + radius * float(direction[0]), y + radius * float(direction[1])
        if not (0 <= x < width and 0 <= y < height):
            break
        path.append((x, y))
        heading = direction
    return path


def _blurred(picture: Pixels, radius: float) -> Pixels:
    image = Image.fromarray((picture * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(radius))
    return np.asarray(image, np.float32) / 255


def _lit(canvas: _Canvas, relief: float) -> Image.Image:
    """Light from the upper left on the paint's thickness."""
    thickness = np.asarray(canvas.thickness.filter(ImageFilter.GaussianBlur(0.8)), np.float32) / 255
    down, right = np.gradient(thickness)
    light = 1 + relief * np.clip(-(down + right), -0.35, 0.35)
    return Image.fromarray(
        np.clip(np.asarray(canvas.colour, np.float32) * light[..., None], 0, 255).astype(np.uint8)
    )
