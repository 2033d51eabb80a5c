"""From file to file: a photo twice as large by the command line, and by scripts that compute the same network."""

from __future__ import annotations

import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image
from rich.table import Table
from upscale_peers import Enlarge, Pixels

from impasto.export.sample import photo

FACTOR = 2
_SUFFIXES = (".jpg", ".png")
_TILE = 512
_NOISE = 4.0
"""The standard deviation of a sensor's noise, in grey levels: smooth colours would be packed faster than a photo."""


def from_file_to_file(
    model: str,
    address: str,
    runtimes: Mapping[str, Enlarge | str],
    *,
    overlap: int,
    width: int,
    repeats: int,
) -> Table:
    """Return a table of the median seconds for each kind of file.

    Args:
        model: the upscaler.
        address: the server's.
        runtimes: what computes the same network; the reason where it does not.
        overlap: the pixels that tiles take along to each side.
        width: of the photo, which is three quarters as high.
        repeats: how often each is measured, in turns.
    """
    table = Table(title=f"{model}, from file to file", title_justify="left", caption_justify="left")
    table.add_column("")
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "photo.jpg")
        _noisy(width).save(source, quality=92)
        for suffix in _SUFFIXES:
            table.add_column(f"{suffix[1:].upper()}, s", justify="right")
            table.add_column("time", justify="right")
            target = source.with_name(f"large{suffix}")
            ways = {"Impasto, the command line": _command(source, target, model, address)}
            for name, enlarge in runtimes.items():
                if not isinstance(enlarge, str):
                    ways[f"{name} and Pillow"] = _script(source, target, enlarge, overlap)
            found = _medians(ways, repeats)
            for name, taken in found.items():
                seconds.setdefault(name, []).append(taken)
    ours, *_ = seconds.values()
    for name, taken in seconds.items():
        pairs = zip(taken, ours, strict=True)
        table.add_row(name, *(cell for own, first in pairs for cell in (f"{own:.1f}", f"{own / first:.2f}")))
    table.caption = (
        f"{width} x {width * 3 // 4} pixels, read from a JPEG. Ours from start to exit; the others in a process that "
        f"has loaded all,\nin tiles of {_TILE} pixels, one after the other."
    )
    return table


def _noisy(width: int) -> Image.Image:
    large = Image.fromarray(photo(83, 101)).resize((width, width * 3 // 4), Image.Resampling.BICUBIC)
    noise = np.random.default_rng(0).normal(0, _NOISE, (large.height, large.width, 3))
    return Image.fromarray((np.asarray(large) + noise).clip(0, 255).astype(np.uint8))


def _command(source: Path, target: Path, model: str, address: str) -> Callable[[], object]:
    words = (
        f"-m impasto.client upscale {source} -o {target} --model {model} --factor {FACTOR} --server {address}"
    )
    return lambda: subprocess.run([sys.executable, *words.split(), "--overwrite"], check=True)


def _script(source: Path, target: Path, enlarge: Enlarge, overlap: int) -> Callable[[], object]:
    return lambda: Image.fromarray(_in_tiles(np.asarray(Image.open(source)), enlarge, overlap)).save(target)


def _in_tiles(pixels: Pixels, enlarge: Enlarge, overlap: int) -> Pixels:
    """Enlarge a picture part by part: whole, SRCNN takes 12 GB for one layer."""
    height, width = pixels.shape[:2]
    result = np.empty((FACTOR * height, FACTOR * width, 3), np.uint8)
    for top, left in itertools.product(range(0, height, _TILE), range(0, width, _TILE)):
        above, before = min(overlap, top), min(overlap, left)
        rows = slice(top - above, top + _TILE + overlap)
        part = enlarge(pixels[rows, left - before : left + _TILE + overlap])
        kept = part[FACTOR * above :, FACTOR * before :][: FACTOR * _TILE, : FACTOR * _TILE]
        result[FACTOR * top :, FACTOR * left :][: kept.shape[0], : kept.shape[1]] = kept
    return result


def _medians(ways: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, run in ways.items():
            started = time.perf_counter()
            run()
            taken[name].append(time.perf_counter() - started)
    return {name: float(np.median(times)) for name, times in taken.items()}
