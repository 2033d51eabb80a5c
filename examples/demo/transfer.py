"""Style transfer by optimisation: a cat in the strokes of a painting, from coarse to fine, by the command line."""

from __future__ import annotations

from pathlib import Path

from command import impasto
from PIL import Image
from sheet import Panel, contact_sheet

# The draft takes half a minute. The fine one is small and short here, so that it takes a minute.
DRAFT = ("--recipe", "draft")
FINE = ("--recipe", "fine", "--max-side", "256", "--epochs", "1", "--steps-per-epoch", "40")


def show(server: str, examples: Path, out: Path) -> list[Path]:
    """Paint the cat twice; returns the contact sheet."""
    photo, painting = examples / "photos" / "chelsea.png", examples / "paintings" / "night.jpg"
    folder = out / "transfer"
    folder.mkdir(exist_ok=True)
    results = {"draft": folder / "chelsea-draft.png", "fine": folder / "chelsea.png"}
    for words, result in zip((DRAFT, FINE), results.values(), strict=True):
        arguments = (str(photo), "--style", str(painting), "-o", str(result), *words, "--overwrite")
        impasto("transfer", *arguments, server=server)
    panels = [Panel("photo", Image.open(photo)), Panel("painting", Image.open(painting))]
    painted = [Panel(title, Image.open(result)) for title, result in results.items()]
    sheet = out / "transfer-chelsea.png"
    contact_sheet([panels, painted], width=450).save(sheet)
    return [sheet]
