"""The numbers beside the pictures of the gallery: losses of the published recipe, noise, colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client import Client

Pixels = NDArray[np.uint8]

_LUMA = (0.299, 0.587, 0.114)
_BINS = 8


@dataclass(frozen=True)
class Measures:
    """The numbers of one painting.

    Attributes:
        style: the style loss by the published recipe's layers and weights.
        content: its content loss.
        noise: the power above half the Nyquist frequency, of the painting's own.
        colours: the distance of the colour histograms, 0 to 1.
    """

    style: float
    content: float
    noise: float
    colours: float

    def beats(self, other: Measures) -> bool:
        """Whether it is nearer to the style and no farther from the content."""
        return self.style < other.style and self.content <= other.content


def measure(client: Client, picture: Pixels, content: Pixels, painting: Pixels) -> Measures:
    """Measure a picture; the three may have any sizes, and the painting is taken as large as the picture."""
    size = picture.shape[:2]
    style = scaled(painting, max(size))
    targets: dict[str, Any] = client.predict(
        "transfer", {"content": scaled(content, max(size)), "size": size, "style": style}, signature="open"
    )
    image = picture.astype(np.float32) / np.float32(255)
    none = np.zeros_like(image)
    inputs = {**targets, "image": image, "m": none, "v": none, "steps": 1}
    told = client.predict("transfer", inputs, signature="optimize")
    return Measures(
        style=float(told["style_loss"]),
        content=float(told["content_loss"]),
        noise=float(_high(picture) / _high(style)),
        colours=0.5 * float(np.abs(_histogram(picture) - _histogram(style)).sum()),
    )


def scaled(pixels: Pixels, side: int) -> Pixels:
    """Return a picture whose longest side is `side`."""
    height, width = pixels.shape[:2]
    ratio = side / max(height, width)
    size = max(1, int(width * ratio)), max(1, int(height * ratio))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))


def _high(pixels: Pixels) -> float:
    """The mean power of the luma at frequencies above half the Nyquist frequency."""
    luma = pixels @ np.array(_LUMA)
    window = np.outer(*(np.hanning(side) for side in luma.shape))
    power = np.abs(np.fft.fft2((luma - luma.mean()) * window)) ** 2
    down, across = (np.fft.fftfreq(side) for side in luma.shape)
    high: float = power[np.hypot(down[:, None], across[None]) > 0.25].sum() / (luma.size * (window**2).sum())
    return high


def _histogram(pixels: Pixels) -> NDArray[np.float64]:
    red, green, blue = (pixels.reshape(-1, 3) // (256 // _BINS)).astype(np.int64).T
    counts = np.bincount((red * _BINS + green) * _BINS + blue, minlength=_BINS**3)
    return counts / counts.sum()
