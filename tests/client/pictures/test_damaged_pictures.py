"""Files of every format, cut off or damaged at random, are pictures or clear errors, and never anything else."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from floods.mutations import damaged
from images import damaged_pictures
from images.picture_files import made_files, written_files
from images.pictures import bomb, encoded, load, pixels
from impasto.client import read_picture
from impasto.client.cli import exit_codes, index
from processes.command_line import impasto
from processes.scripts import run_script
from processes.watched_process import GIGABYTE, needs_proc
from servers.model_servers import ModelServer

MEMORY_BOUND = 2 * GIGABYTE
"""Of a process that reads them one after the other. A damaged header may claim the 89 million pixels that are read at
most: 0.3 GB as RGB, and as much again for each of some steps on the way."""

UNREAD = {"EPS", "PALM", "PDF"}
"""Formats that Pillow writes and that are not read here: EPS would start Ghostscript, the others are no pictures."""


@pytest.mark.filterwarnings(
    "ignore::impasto.client.PictureWarning"
)  # of pages, and of pixels without a range
def test_a_file_of_every_format_is_read_before_it_is_damaged() -> None:
    files = dict(written_files())
    first = {name.split()[0]: data for name, data in reversed(files.items())}
    assert set(first) >= {
        "AVIF",
        "BMP",
        "GIF",
        "ICO",
        "JPEG",
        "JPEG2000",
        "PNG",
        "PPM",
        "TGA",
        "TIFF",
        "WEBP",
    }
    for kind in set(first) - UNREAD:
        assert _is_read(first[kind]), kind
    for name, data in made_files():
        assert _is_read(data), name


def _is_read(data: bytes) -> bool:
    return read_picture(data).rgb.size > 0


def float_tiff() -> bytes:
    """Colours in floating point, which Pillow does not read."""
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, np.zeros((4, 4, 3), np.float32), photometric="rgb")
    return buffer.getvalue()


@needs_proc
@pytest.mark.slow
def test_6000_damaged_files_are_pictures_or_errors_that_name_the_file() -> None:
    done = run_script(damaged_pictures, 0, 7, 7, options=["-X", "faulthandler"])
    assert done.returncode == 0, done.stderr[-2000:]
    report = json.loads(done.stdout)
    assert report["complaints"] == []
    assert "Warning" not in done.stderr
    assert report["peak"] < MEMORY_BOUND
    outcomes = report["outcomes"]
    assert sum(outcomes.values()) > 6000
    assert set(outcomes) == {
        *("picture", "EmptyImage", "ImageTooLarge", "NotAnImage", "TruncatedImage", "UnsupportedImage")
    }


def test_bad_pictures_in_a_batch_do_not_stop_the_good_ones(
    committed_server: ModelServer, tmp_path: Path
) -> None:
    photos, results = tmp_path / "photos", tmp_path / "results"
    photos.mkdir()
    good = Image.fromarray(pixels(20, 30))
    rng = random.Random(0)
    bad = {
        "bomb.png": bomb(12_000, 12_000),
        "cut.jpg": encoded(good, "JPEG")[:-200],
        "cut.png": encoded(good)[:200],
        "empty.png": b"",
        "float.tif": float_tiff(),
        "noise.webp": b"RIFF\x10\0\0\0WEBPVP8 " + rng.randbytes(500),
        "text.png": b"this is no picture",
        "torn.gif": damaged(encoded(good, "GIF")[:60], rng),
    }
    for name, data in bad.items():
        (photos / name).write_bytes(data)
    for name in ("a.png", "m.tif", "z.webp"):
        good.save(photos / name)

    process = impasto("upscale", photos, "-o", results, server=committed_server.address)
    out, err = process.communicate()

    assert process.returncode == exit_codes.FAILED, err
    assert {path.name for path in results.iterdir()} == {index.NAME, "a.png", "m.tif", "z.webp"}
    assert load(results / "a.png").size == (60, 40)
    assert len(out.splitlines()) == 3
    for name in bad:
        (said,) = [line for line in err.splitlines() if str(photos / name) in line]
        assert said.startswith(f"impasto: {photos / name} "), said
    assert "3 of 11 pictures done, 8 failed" in err
    assert "Traceback" not in err
    assert "Warning" not in err
