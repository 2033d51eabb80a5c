"""The gallery of dreams: four photos, three choices of layers, the classic recipe beside `fine`, with figures.

Both take the same number of steps at the same sizes, and so about the same time. Writes a contact sheet for each photo
and prints a table of figures:

- objective: what the steps raise, the weighted mean activation, as the network sees the written picture;
- speckle: the energy above half the Nyquist frequency, relative to the photo's.

    python examples/gallery/dream.py --models models --out docs/images/gallery

The model `dream` must be there, exported on VGG19: `impasto-export dream --backbone vgg19 --weights package`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import click
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client import Client
from impasto.serving import LocalServer
from impasto.serving.importing import quiet_tensorflow

EXAMPLES: Final = Path(__file__).resolve().parent.parent
sys.path.append(str(EXAMPLES / "demo"))

from sheet import Panel, contact_sheet  # noqa: E402  # the demonstration's, which is no package

CHOICES: Final[Mapping[str, Mapping[str, float]]] = {
    "ornaments": {"block3_conv4": 1.0},
    "fur and faces": {"block4_conv3": 1.0, "block5_conv2": 8.0},
    "bodies": {"block5_conv4": 1.0},
}
"""Layers of VGG19, by what they draw."""

PHOTOS: Final = ("astronaut.png", "chelsea.png", "street.jpg", "mountain.jpg")
OCTAVES: Final = (-2, -1, 0)
STEPS: Final = 20
QUALITY: Final = 84


@click.command()
@click.option("--models", type=click.Path(path_type=Path), default=Path("models"), show_default=True)
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("docs/images/gallery"), show_default=True
)
@click.option("--side", type=int, default=256, show_default=True, help="Pixels of the photos' longer side.")
def main(models: Path, out: Path, side: int) -> None:
    """Write the contact sheets, and print the figures."""
    out.mkdir(parents=True, exist_ok=True)
    quiet_tensorflow()
    click.echo(
        "| photo | layers | objective: photo | classic | fine | speckle: classic | fine | s: classic | fine |"
    )
    click.echo("|---|---|---|---|---|---|---|---|---|")
    with LocalServer(models, only=["dream"]) as server, Client(server.address) as client:
        for name, photo in photos(side):
            rows = []
            for title, layers in CHOICES.items():
                dreams, figures = _dreams(client, photo, layers)
                click.echo(f"| {name} | {title} | {figures} |")
                rows.append(
                    [
                        Panel("photo" if not rows else title, photo),
                        *(Panel(f"{recipe}, {title}", dream) for recipe, dream in dreams.items()),
                    ]
                )
            contact_sheet(rows, width=side).save(out / f"dream-{name}.jpg", quality=QUALITY, optimize=True)


def photos(side: int) -> Iterator[tuple[str, Image.Image]]:
    """A face, an animal, a street and a landscape."""
    for path in PHOTOS:
        with Image.open(EXAMPLES / "photos" / path) as image:
            reduced = image.convert("RGB")
        reduced.thumbnail((side, side), Image.Resampling.LANCZOS)
        yield Path(path).stem, reduced


def _dreams(
    client: Client, photo: Image.Image, layers: Mapping[str, float]
) -> tuple[dict[str, Image.Image], str]:
    """The dreams by recipe, and their figures as cells of a table."""
    dreams, seconds = {}, {}
    for recipe in ("classic", "fine"):
        started = time.monotonic()
        dreams[recipe] = client.dream(photo, recipe=recipe, layers=layers, octaves=OCTAVES, steps=STEPS)
        seconds[recipe] = time.monotonic() - started
    objectives = [objective(client, image, layers) for image in (photo, *dreams.values())]
    speckles = [energy(image) / energy(photo) for image in dreams.values()]
    cells = (
        *(f"{value:.0f}" for value in objectives),
        *(f"{value:.2f}" for value in speckles),
        *(f"{value:.0f}" for value in seconds.values()),
    )
    return dreams, " | ".join(cells)


def objective(client: Client, image: Image.Image, layers: Mapping[str, float]) -> float:
    """What a dream of these layers raises, of a picture as it is."""
    names = client.describe_dream().layers
    weights = np.array([layers.get(name, 0.0) for name in names], np.float32)
    size = np.array(image.size[::-1], np.int32)
    opened = client.predict("dream", {"image": np.asarray(image), "size": size}, signature="open")
    inputs = {"state": opened["state"], "steps": 1, "layer_weights": weights}
    return float(client.predict("dream", inputs, signature="ascend")["loss"])


def energy(image: Image.Image) -> float:
    """The energy of the brightness above half the Nyquist frequency in either direction, for each pixel."""
    gray: NDArray[np.float64] = np.asarray(image.convert("L"), np.float64)
    window = np.outer(*(np.hanning(side) for side in gray.shape))
    spectrum = np.abs(np.fft.fft2((gray - gray.mean()) * window)) ** 2
    rows, columns = (np.abs(np.fft.fftfreq(side)) for side in gray.shape)
    return float(spectrum[np.maximum.outer(rows, columns) > 0.25].sum()) / gray.size


if __name__ == "__main__":
    main()
