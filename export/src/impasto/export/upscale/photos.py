"""Photos as arrays, and the low-resolution versions that super-resolution starts from."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client import read_picture
from impasto.client.errors import ImageError
from impasto.client.pictures import named_picture
from impasto.client.texts import decoded_text, printable
from impasto.export.errors import ExportError

Pixels = NDArray[np.uint8]

_EVEN: Final = 2
"""The sides of photos are multiples of this, for the factor that is asked for most."""

LICENCES = "licences.json"
"""The file in a photo folder that states who made each photo and under which licence."""

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp"})


@dataclass(frozen=True)
class Photo:
    """A named RGB picture, uint8 [H, W, 3]."""

    name: str
    pixels: Pixels


LeftOut: TypeAlias = Callable[[Path, ExportError], None]
"""Told of a file that cannot serve as a photo, and of the reason."""


def list_photos(folder: Path, *, on_left_out: LeftOut | None = None) -> list[Path]:
    """The image files below `folder`, sorted by path; links to folders are not followed.

    Args:
        folder: the folder.
        on_left_out: called for each picture's file that is none of these: of a format that is not read here, a link to
            nowhere, a pipe, or in a folder that may not be listed.

    Raises:
        ExportError: there is none.
    """
    if not folder.is_dir():
        raise ExportError(f"photo folder {folder} does not exist; name a folder of photos")
    paths: list[Path] = []
    for path in sorted(_below(folder, on_left_out)):
        if reason := _why_not(path):
            if on_left_out is not None:
                on_left_out(path, ExportError(f"cannot read photo {path}: {reason}"))
        elif path.suffix.lower() in SUFFIXES:
            paths.append(path)
    if not paths:
        raise ExportError(
            f"no photos in {folder}; it must hold files with one of {', '.join(sorted(SUFFIXES))}"
        )
    return paths


def _below(folder: Path, on_left_out: LeftOut | None) -> Iterator[Path]:
    def left_out(error: OSError) -> None:
        if on_left_out is not None:
            path = Path(error.filename)
            on_left_out(
                path, ExportError(f"cannot list {path}: {error.strerror}; the photos in it are left out")
            )

    for parent, folders, names in os.walk(folder, onerror=left_out):
        yield from (Path(parent, name) for name in names)
        yield from (path for name in folders if (path := Path(parent, name)).is_symlink())


def _why_not(path: Path) -> str:
    """Say why a file with a picture's name cannot be a photo; nothing for a photo, and for what is no picture."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        known = named_picture(path) is not None
        return f"{suffix} is not read here; save it as one of {', '.join(sorted(SUFFIXES))}" if known else ""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return error.strerror or str(error)
    return "" if stat.S_ISREG(mode) else "it is no file"


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
    pixels = crop_to_multiple(np.asarray(upright), _EVEN)
    if 0 in pixels.shape:
        raise ExportError(
            f"cannot use photo {path}: it is less than {_EVEN} pixels wide or high; remove it from the folder"
        )
    return Photo(printable(path.name), pixels)


def read_photos(
    folder: Path,
    *,
    longest_side: int | None = None,
    on_unreadable: LeftOut | None = None,
) -> Iterator[Photo]:
    """Every photo of a folder, one at a time.

    Args:
        folder: the folder.
        longest_side: larger photos are reduced to so many pixels.
        on_unreadable: called with the path and the reason for a photo that cannot be read, which is then left out.
            None raises the reason.

    Raises:
        ExportError: there is none, or none can be read.
    """
    is_any_read = False
    for path in list_photos(folder, on_left_out=on_unreadable):
        try:
            photo = read_photo(path, longest_side=longest_side)
        except ExportError as error:
            if on_unreadable is None:
                raise
            on_unreadable(path, error)
            continue
        is_any_read = True
        yield photo
    if not is_any_read:
        raise ExportError(f"no photo in {folder} can be read; repair them, or name another folder")


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
        name = printable(path.relative_to(folder).as_posix())  # a name need not be text, and JSON is
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        described.append({"name": name, "sha256": digest, **licences.get(name, {"licence": "not stated"})})
    return described


def photos_to_measure(folder: Path | None, *, on_unreadable: LeftOut | None = None) -> list[Photo]:
    """Read the photos of a folder, or the held-out ones if there is none; see `read_photos`."""
    return held_out_photos() if folder is None else list(read_photos(folder, on_unreadable=on_unreadable))


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
    photos = [Photo(name, crop_to_multiple(load(), _EVEN)) for name, load in loaders.items()]
    photos += [
        Photo(name, crop_to_multiple(load_sample_image(f"{name}.jpg"), _EVEN)) for name in ("china", "flower")
    ]
    return photos


def crop_to_multiple(pixels: Pixels, factor: int) -> Pixels:
    """Drop the last rows and columns that are too many for sides divisible by `factor`: shrunk and enlarged by it, the
    picture has its own size again."""
    height, width = (side - side % factor for side in pixels.shape[:2])
    return np.ascontiguousarray(pixels[:height, :width])


def shrink(pixels: Pixels, factor: int) -> Pixels:
    """Divide the width and height by `factor`, by Pillow's antialiased bicubic filter: uint8 [H, W, 3]."""
    height, width = pixels.shape[:2]
    return np.asarray(
        Image.fromarray(pixels).resize((width // factor, height // factor), Image.Resampling.BICUBIC)
    )


def bicubic(pixels: Pixels, factor: int) -> Pixels:
    """Multiply the width and height by `factor`, by Pillow's bicubic filter: the baseline to beat."""
    height, width = pixels.shape[:2]
    return np.asarray(
        Image.fromarray(pixels).resize((width * factor, height * factor), Image.Resampling.BICUBIC)
    )
