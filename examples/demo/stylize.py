"""Painting: photos in the styles of four paintings, by the command line."""

from __future__ import annotations

from pathlib import Path

from command import impasto
from PIL import Image
from sheet import Panel, contact_sheet


def show(server: str, examples: Path, out: Path) -> list[Path]:
    """Paint every photo in every style, and one in several ways; returns the contact sheets."""
    photos, paintings = examples / "photos", examples / "paintings"
    styles = [argument for path in sorted(paintings.glob("*.jpg")) for argument in ("--style", str(path))]
    sheets = []
    for photo in sorted(photos.glob("*.png")):
        sheet = out / f"stylize-{photo.name}"
        impasto("stylize", str(photo), *styles, "--sheet", "-o", str(sheet), "--overwrite", server=server)
        sheets.append(sheet)
    return [*sheets, _ways(photos / "chelsea.png", paintings, out, server)]


def _ways(photo: Path, paintings: Path, out: Path, server: str) -> Path:
    """One photo after one painting, but differently each time."""
    surf, night = ("--style", str(paintings / "surf.jpg")), ("--style", str(paintings / "night.jpg"))
    ways = {
        "painted": surf,
        "half as strong": (*surf, "--strength", "0.5"),
        "the photo's colours": (*surf, "--preserve-color"),
        "two paintings, 1 : 1": (*surf, *night),
        "broad strokes": (*surf, "--max-side", "220"),
    }
    folder = out / "stylized"
    folder.mkdir(exist_ok=True)
    panels = [Panel("photo", Image.open(photo))]
    for number, (title, options) in enumerate(ways.items(), 1):
        result = folder / f"{photo.stem}-{number}.png"
        impasto("stylize", str(photo), *options, "-o", str(result), "--overwrite", server=server)
        panels.append(Panel(title, Image.open(result)))
    sheet = out / f"stylize-{photo.stem}-ways.png"
    contact_sheet([panels[:3], panels[3:]], width=384).save(sheet)
    return sheet
