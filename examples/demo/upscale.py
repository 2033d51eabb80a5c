"""Super-resolution: shrink photos, enlarge them again by the command line, compare with the originals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from command import impasto
from PIL import Image
from sheet import Panel, contact_sheet

from impasto.export.upscale.evaluate import psnr, saved_as_jpeg


@dataclass(frozen=True)
class Case:
    """What is enlarged, and by which models.

    Attributes:
        label: on the sheet, and in the names of folders.
        factor: the photos are shrunk by it, and enlarged again.
        models: the models that are compared.
        quality: of the JPEG that a small photo is saved as before; None for none.
    """

    label: str
    factor: int
    models: tuple[str, ...]
    quality: int | None = None


CASES = (
    Case("2x", 2, ("srcnn", "upscaler-small", "upscaler-base")),
    Case("4x", 4, ("upscaler-small", "upscaler-base")),
    Case("2x-jpeg", 2, ("upscaler-base", "upscaler-base-real", "upscaler-large-real"), quality=50),
)

# Where on each photo the eye sees the difference: left, top of a square of 96 pixels.
DETAILS = {"astronaut": (176, 64), "chelsea": (130, 60), "coffee": (345, 255)}
DETAIL_SIDE = 96
WIDTH = 288


def show(server: str, examples: Path, out: Path) -> list[Path]:
    """Enlarge all photos by each model, in one call of `impasto upscale`; returns the contact sheets."""
    originals = {}
    for path in sorted((examples / "photos").glob("*.png")):
        with Image.open(path) as image:
            sides = (side - side % 4 for side in image.size)
            originals[path.stem] = image.convert("RGB").crop((0, 0, *sides))
    enlarged = {case: _enlarged(originals, case, server, out) for case in CASES}
    sheets = []
    for name, original in originals.items():
        sheet = out / f"upscale-{name}.png"
        _sheet(name, original, {case: found[name] for case, found in enlarged.items()}).save(sheet)
        sheets.append(sheet)
    return sheets


def _enlarged(
    originals: Mapping[str, Image.Image], case: Case, server: str, out: Path
) -> dict[str, dict[str, Image.Image]]:
    """For each photo its titled enlargements, from the small one's pixels on."""
    low = out / f"low-{case.label}"
    low.mkdir(exist_ok=True)
    found = {}
    for name, original in originals.items():
        sides = (original.width // case.factor, original.height // case.factor)
        small = original.resize(sides, Image.Resampling.BICUBIC)
        if case.quality is not None:
            small = Image.fromarray(saved_as_jpeg(np.asarray(small), level=case.quality))
        small.save(low / f"{name}.png")
        plain = {"pixels": Image.Resampling.NEAREST, "bicubic": Image.Resampling.BICUBIC}
        found[name] = {title: small.resize(original.size, method) for title, method in plain.items()}
    for model in case.models:
        results = out / f"{model}-{case.label}"
        options = ("--model", model, "--factor", str(case.factor), "--overwrite")
        impasto("upscale", str(low), "-o", str(results), *options, server=server)
        for name in originals:
            with Image.open(results / f"{name}.png") as image:
                found[name][model] = image.convert("RGB")
    return found


def _sheet(
    name: str, original: Image.Image, enlarged: Mapping[Case, Mapping[str, Image.Image]]
) -> Image.Image:
    middle = ((original.width - DETAIL_SIDE) // 2, (original.height - DETAIL_SIDE) // 2)
    left, top = DETAILS.get(name, middle)
    box = (left, top, left + DETAIL_SIDE, top + DETAIL_SIDE)
    rows = []
    for case, ways in enlarged.items():
        panels = [
            Panel(f"{title} {case.label}, {_decibels(original, image)}", image.crop(box))
            for title, image in ways.items()
        ]
        rows.append([*panels, Panel("original", original.crop(box))])
    whole = {f"{title} {CASES[1].label}": image for title, image in enlarged[CASES[1]].items()}
    rows.append([Panel(title, image) for title, image in {**whole, "original": original}.items()])
    return contact_sheet(rows, width=WIDTH)


def _decibels(original: Image.Image, image: Image.Image) -> str:
    return f"{psnr(np.asarray(original), np.asarray(image)):.2f} dB"
