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
    command = [sys.executable, "examples/demo", "--models", "models", "--out", str(tmp_path)]
    command += ["--only", "upscale"]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    photos = sorted((ROOT / "examples" / "photos").glob("*.png"))
    assert photos
    for photo in photos:
        sheet = tmp_path / f"upscale-{photo.name}"
        assert str(sheet) in finished.stdout
        assert read(sheet).width == 6 * 288 + 7 * 12
        for model, factor, least in (
            ("srcnn", 2, 1.0),
            ("upscaler-small", 2, 1.3),
            ("upscaler-small", 4, 0.5),
        ):
            enlarged = read(tmp_path / f"{model}-{factor}x" / photo.name)
            original = read(photo).crop((0, 0, *enlarged.size))
            small = read(tmp_path / f"low-{factor}x" / photo.name)
            bicubic = small.resize(original.size, Image.Resampling.BICUBIC)
            assert psnr(original, enlarged) > psnr(original, bicubic) + least


def read(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def psnr(original: Image.Image, other: Image.Image) -> float:
    return float(peak_signal_noise_ratio(np.asarray(original), np.asarray(other)))
