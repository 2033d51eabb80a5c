"""Photos as arrays, and the low-resolution versions that super-resolution starts from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client import read_picture
from impasto.client.errors import ImageError
from impasto.client.text_files import decoded_text
from impasto.export.errors import ExportError
from impasto.export.srcnn.presets import SCALE

Pixels = NDArray[np.uint8]

LICENCES = "licences.json"
"""The file in a photo folder that states who made each photo and under which licence."""

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp"})


@dataclass(frozen=True)
class Photo:
    """A named RGB picture, uint8 [H, W, 3]."""

    name: str
    pixels: Pixels


def list_photos(folder: Path) -> list[Path]:
    """The image files below `folder`, sorted by path; an ExportError if there is none."""
    if not folder.is_dir():
        raise ExportError(f"photo folder {folder} does not exist; name a folder of photos")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not paths:
        raise ExportError(
            f"no photos in {folder}; it must hold files with one of {', '.join(sorted(SUFFIXES))}"
        )
    return paths


def read_photo(path: Path, *, longest_side: int | None = None) -> Photo:
    """Read one photo as RGB, upright, its sides even, reduced to `longest_side` pixels if it is larger."""
    try:
        upright = Image.fromarray(read_picture(path).rgb)
    except (OSError, ImageError) as error:
        raise ExportError(
            f"cannot read photo {path}: {error}; remove it from the folder or repair it"
        ) from error
    if longest_side is not None and max(upright.size) > longest_side:
        upright.thumbnail((longest_side, longest_side), Image.Resampling.LANCZOS)
    pixels = crop_even(np.asarray(upright))
    if 0 in pixels.shape:
        raise ExportError(
            f"cannot use photo {path}: it is less than {SCALE} pixels wide or high; remove it from the folder"
        )
    return Photo(path.name, pixels)


def read_photos(
    folder: Path,
    *,
    longest_side: int | None = None,
    on_unreadable: Callable[[Path, ExportError], None] | None = None,
) -> Iterator[Photo]:
    """Every photo of a folder, one at a time.

    Args:
        folder: the folder.
        longest_side: larger photos are reduced to so many pixels.
        on_unreadable: called with the path and the reason for a photo that cannot be read, which is then left out.
            None raises the reason.
    """
    for path in list_photos(folder):
        try:
            photo = read_photo(path, longest_side=longest_side)
        except ExportError as error:
            if on_unreadable is None:
                raise
            on_unreadable(path, error)
            continue
        yield photo


def describe_photos(folder: Path, *, without: Collection[Path] = ()) -> list[dict[str, str]]:
    """Name, SHA-256 and, from the folder's licences.json, author and licence of each photo: the manifest's record.

    licences.json maps a photo's path below the folder to `{"author": ..., "licence": ..., "source": ...}`.

    Args:
        folder: the folder.
        without: the photos that were left out.

    Raises:
        ExportError: licences.json is not such a mapping.
    """
    listing = folder / LICENCES
    licences: dict[str, dict[str, str]] = {}
    if listing.exists():
        try:
            licences = {
                str(name): dict(entry)
                for name, entry in json.loads(decoded_text(listing.read_bytes())).items()
            }
        except (ValueError, AttributeError, TypeError, RecursionError) as error:
            raise ExportError(
                f"{listing} is not a mapping of photo to author and licence: {error}"
            ) from error
    described = []
    for path in list_photos(folder):
        if path in without:
            continue
        name = path.relative_to(folder).as_posix()
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        described.append({"name": name, "sha256": digest, **licences.get(name, {"licence": "not stated"})})
    return described


def held_out_photos() -> list[Photo]:
    """Six photos that no training saw, from the wheels of scikit-image and scikit-learn (nothing is downloaded)."""
    if find_spec("skimage") is None or find_spec("sklearn") is None:
        raise ExportError(
            "the held-out photos are in scikit-image and scikit-learn: "
            "pip install scikit-image scikit-learn, or name a folder with --photos"
        )
    from skimage import data
    from sklearn.datasets import load_sample_image

    loaders = {name: getattr(data, name) for name in ("astronaut", "chelsea", "coffee", "rocket")}
    photos = [Photo(name, crop_even(load())) for name, load in loaders.items()]
    photos += [Photo(name, crop_even(load_sample_image(f"{name}.jpg"))) for name in ("china", "flower")]
    return photos


def crop_even(pixels: Pixels) -> Pixels:
    """Drop the last row and column where a side is odd, so that halving and doubling meets the same size."""
    height, width = (side - side % SCALE for side in pixels.shape[:2])
    return np.ascontiguousarray(pixels[:height, :width])


def shrink(pixels: Pixels) -> Pixels:
    """Half the width and height by Pillow's antialiased bicubic filter: uint8 [H, W, 3] to [H/2, W/2, 3]."""
    height, width = pixels.shape[:2]
    return np.asarray(
        Image.fromarray(pixels).resize((width // SCALE, height // SCALE), Image.Resampling.BICUBIC)
    )


def bicubic(pixels: Pixels) -> Pixels:
    """Double the width and height by Pillow's bicubic filter: the baseline to beat."""
    height, width = pixels.shape[:2]
    return np.asarray(
        Image.fromarray(pixels).resize((width * SCALE, height * SCALE), Image.Resampling.BICUBIC)
    )
