"""Style transfer by optimisation: a cat in the strokes of a painting, from coarse to fine, by the command line."""

from __future__ import annotations

from pathlib import Path

from command import impasto
from PIL import Image
from sheet import Panel, contact_sheet

SIZES = 3
STEPS = 60
# Small and short, so that it takes a minute. Smaller steps, total variation and a pyramid make up for how few there
# are; block4_conv2 keeps the cat's shape.
OPTIONS = {
    "--max-side": "256",
    "--pyramid": str(SIZES),
    "--epochs": "1",
    "--steps-per-epoch": str(STEPS),
    "--learning-rate": "0.012",
    "--tv-weight": "5000",
    "--content-layers": "block4_conv2",
    "--content-weight": "200",
}


def show(server: str, examples: Path, out: Path) -> list[Path]:
    """Paint the cat, keeping the picture after each size; returns the contact sheet."""
    photo, painting = examples / "photos" / "chelsea.png", examples / "paintings" / "night.jpg"
    folder = out / "transfer"
    folder.mkdir(exist_ok=True)
    result = folder / "chelsea.png"
    options = [word for pair in OPTIONS.items() for word in pair]
    arguments = [str(photo), "--style", str(painting), "-o", str(result), *options, "--every", str(STEPS)]
    impasto("transfer", *arguments, "--overwrite", server=server)
    middle = folder / f"chelsea-{(SIZES - 1) * STEPS:05}.png"
    panels = [
        Panel("photo", Image.open(photo)),
        Panel("painting", Image.open(painting)),
        Panel("painted at half the size", Image.open(middle)),
        Panel("painted further", Image.open(result)),
    ]
    sheet = out / "transfer-chelsea.png"
    contact_sheet([panels[:2], panels[2:]], width=450).save(sheet)
    return [sheet]
