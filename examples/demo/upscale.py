"""Super-resolution: halve photos, double them again by the command line, compare with the originals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from command import impasto
from PIL import Image
from sheet import Panel, contact_sheet

from impasto.export.upscale.quality import psnr

# Where on each photo the eye sees the difference: left, top of a square of 96 pixels.
DETAILS = {"astronaut": (176, 64), "chelsea": (130, 60), "coffee": (345, 255)}
DETAIL_SIDE = 96


def show(server: str, examples: Path, out: Path) -> list[Path]:
    """Upscale every photo in one call of `impasto upscale`; returns the contact sheets."""
    low_folder, high_folder = out / "low", out / "upscaled"
    low_folder.mkdir(exist_ok=True)
    originals = {}
    for path in sorted((examples / "photos").glob("*.png")):
        original = Image.open(path).convert("RGB")
        half = (original.width // 2, original.height // 2)
        original.resize(half, Image.Resampling.BICUBIC).save(low_folder / path.name)
        originals[path.stem] = original
    impasto("upscale", str(low_folder), "-o", str(high_folder), "--overwrite", server=server)
    sheets = []
    for name, original in originals.items():
        result = high_folder / f"{name}.png"
        sheet = out / f"upscale-{name}.png"
        _sheet(name, original, Image.open(low_folder / f"{name}.png"), Image.open(result)).save(sheet)
        sheets.append(sheet)
    return sheets


def _sheet(name: str, original: Image.Image, low: Image.Image, srcnn: Image.Image) -> Image.Image:
    bicubic = low.resize(original.size, Image.Resampling.BICUBIC)
    truth = np.asarray(original)
    rows = {
        f"low resolution, {low.width} x {low.height}": low.resize(original.size, Image.Resampling.NEAREST),
        f"bicubic, {psnr(truth, np.asarray(bicubic)):.2f} dB": bicubic,
        f"SRCNN, {psnr(truth, np.asarray(srcnn)):.2f} dB": srcnn,
        "original": original,
    }
    middle = ((original.width - DETAIL_SIDE) // 2, (original.height - DETAIL_SIDE) // 2)
    left, top = DETAILS.get(name, middle)
    box = (left, top, left + DETAIL_SIDE, top + DETAIL_SIDE)
    details = [Panel(f"detail, {title.split(',')[0]}", image.crop(box)) for title, image in rows.items()]
    return contact_sheet([details, [Panel(title, image) for title, image in rows.items()]], width=384)
