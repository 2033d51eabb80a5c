"""The three wheels, as a release makes them, in an environment that knows nothing of the source tree."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

ROOT = Path(__file__).resolve().parents[1]


def run(*command: str | Path, cwd: Path) -> str:
    # Without PYTHONPATH, which could lead back to the sources.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the three wheels.

    It takes the packages that they need from this one, whose own, editable installations it does not see: a line of a
    .pth file adds a folder, but does not read the .pth files in it.
    """
    folder = tmp_path_factory.mktemp("release")
    wheels = folder / "wheels"
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    run(
        *(*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", wheels),
        *(ROOT / name for name in ("client", "export", "serving")),
        cwd=folder,
    )
    venv.create(folder / "environment", with_pip=False)
    python = folder / "environment" / "bin" / "python"
    run(*pip, "--python", python, "install", "--no-deps", "--no-index", *wheels.iterdir(), cwd=folder)
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip()
    (Path(site) / "needed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def test_the_demonstration_from_the_wheels_enlarges_each_example_better_than_bicubic(
    python: Path, tmp_path: Path
) -> None:
    told = run(
        *(
            python,
            ROOT / "examples" / "demo",
            "--models",
            ROOT / "models",
            "--only",
            "upscale",
            "--out",
            "demo",
        ),
        cwd=tmp_path,
    )
    assert "impasto upscale" in told
    assert sorted(path.name for path in (tmp_path / "demo").glob("upscale-*.png")) == [
        "upscale-astronaut.png",
        "upscale-chelsea.png",
        "upscale-coffee.png",
    ]
    photos = sorted((ROOT / "examples" / "photos").glob("*.png"))
    assert photos
    for photo in photos:
        sheet = Path("demo", f"upscale-{photo.name}")
        assert str(sheet) in told
        assert read(tmp_path / sheet).width == 6 * 288 + 7 * 12
        for model, case, least in (
            ("srcnn", "2x", 1.0),
            ("upscaler-small", "2x", 1.3),
            ("upscaler-small", "4x", 0.5),
            ("upscaler-large-real", "2x-jpeg", 0.2),
        ):
            enlarged = read(tmp_path / "demo" / f"{model}-{case}" / photo.name)
            original = read(photo).crop((0, 0, *enlarged.size))
            small = read(tmp_path / "demo" / f"low-{case}" / photo.name)
            bicubic = small.resize(original.size, Image.Resampling.BICUBIC)
            assert psnr(original, enlarged) > psnr(original, bicubic) + least


def read(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def psnr(original: Image.Image, other: Image.Image) -> float:
    return float(peak_signal_noise_ratio(np.asarray(original), np.asarray(other)))


@pytest.mark.parametrize("package", ["client", "export", "serving"])
def test_a_wheel_holds_its_package_and_its_types(python: Path, tmp_path: Path, package: str) -> None:
    where = run(
        python, "-c", f"import impasto.{package} as package; print(package.__path__[0])", cwd=tmp_path
    )
    folder = Path(where.strip())
    assert folder.is_relative_to(python.parents[1])
    assert (folder / "py.typed").is_file()


@pytest.mark.parametrize("program", ["impasto", "impasto-export", "impasto-serving"])
def test_the_programs_answer(python: Path, tmp_path: Path, program: str) -> None:
    assert run(python.parent / program, "--help", cwd=tmp_path).startswith(f"Usage: {program}")
