"""`make demo`, but for the installation: what a newcomer sees first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

ROOT = Path(__file__).parents[2]


def test_the_demonstration_upscales_every_example_photo_better_than_bicubic(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "examples/demo",
        "--models",
        "models",
        "--out",
        str(tmp_path),
        "--only",
        "srcnn",
    ]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    photos = sorted((ROOT / "examples" / "photos").glob("*.png"))
    assert photos
    for photo in photos:
        sheet = tmp_path / f"upscale-{photo.name}"
        assert str(sheet) in finished.stdout
        assert read(sheet).width == 4 * 384 + 5 * 12
        original = read(photo)
        bicubic = read(tmp_path / "low" / photo.name).resize(original.size, Image.Resampling.BICUBIC)
        srcnn = read(tmp_path / "upscaled" / photo.name)
        assert psnr(original, srcnn) > psnr(original, bicubic) + 1.0


def read(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def psnr(original: Image.Image, other: Image.Image) -> float:
    return float(peak_signal_noise_ratio(np.asarray(original), np.asarray(other)))
