"""Write results as image files, in the format that their name says."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path
from typing import Final

from PIL import Image

from impasto.client.errors import OutputExists, UnknownFormat, UnwritableOutput
from impasto.client.pictures._atomic import resolved, written_aside
from impasto.client.pictures._deflate import PngCompression
from impasto.client.pictures._encoding import FORMATS, check_options, encoded
from impasto.client.pictures._notes import Notes, warn

WRITABLE: Final = tuple(FORMATS)
"""The file extensions that can be written."""


def check_output(
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    quality: int | None = None,
    compress: PngCompression | None = None,
) -> Path:
    """Find out before the work whether its result could be written.

    Returns:
        The path with symbolic links followed: the file that will be written.

    Raises:
        OutputError: UnknownFormat for the extension, OutputExists, or UnwritableOutput if there is no such
            folder, or the system allows no such name.
        ValueError: as `write_picture`.
    """
    target = resolved(path)
    _check_suffix(target.suffix, f"{path}: ")
    check_options(target.suffix, quality=quality, compress=compress)
    check_place(target, path, overwrite=overwrite)
    return target


def check_place(target: Path, path: str | os.PathLike[str], *, overwrite: bool) -> None:
    """OutputExists, or UnwritableOutput where no file can be, for a resolved path and what the caller calls it."""
    try:
        folder, mode = _mode(target.parent), _mode(target)
    except OSError as error:  # such as a name that is too long
        raise UnwritableOutput(f"cannot write {path}: {error.strerror}") from error
    if folder is None or not stat.S_ISDIR(folder):
        raise UnwritableOutput(f"cannot write {path}: {target.parent} is not a folder")
    if mode is not None and stat.S_ISDIR(mode):
        raise UnwritableOutput(f"cannot write {path}: it is a folder")
    if mode is not None and not overwrite:
        raise OutputExists(f"{path} exists and may not be replaced without overwrite")


def write_picture(
    path: str | os.PathLike[str],
    image: Image.Image,
    *,
    overwrite: bool = False,
    quality: int | None = None,
    compress: PngCompression | None = None,
    strip: bool = False,
) -> None:
    """Write an image in the format that the extension names: PNG, JPEG, WebP, TIFF or BMP.

    The image's `icc_profile`, `dpi` and `exif` are kept where the format has a place for them: BMP has one for the
    resolution only, WebP has none for it. What cannot be written is left out with a PictureWarning. JPEG and BMP have
    no transparency: it is flattened over white.

    Args:
        path: the file to write, in a folder that exists.
        image: of mode L, LA, RGB or RGBA.
        overwrite: replace the file if it exists.
        quality: 1 to 100, JPEG and WebP only; 95 if not given.
        compress: "fast" or "small", PNG only; without it, small up to four megapixels and fast above.
        strip: write no metadata at all. Colours are converted from the image's profile to sRGB first.

    Raises:
        OutputError: as `check_output`, or UnwritableOutput when the system refuses.
        ValueError: `quality` or `compress` has no such value, or the format no such option.
    """
    target = check_output(path, overwrite=overwrite, quality=quality, compress=compress)
    notes = Notes(str(path))
    try:
        write = encoded(image, target.suffix, notes, quality=quality, compress=compress, strip=strip)
    except UnwritableOutput as error:
        raise UnwritableOutput(f"cannot write {path}: {error}") from error
    with written_aside(target, overwrite=overwrite) as file:
        write(file)
    warn(notes.all())


def encode_picture(
    image: Image.Image,
    suffix: str,
    *,
    quality: int | None = None,
    compress: PngCompression | None = None,
    strip: bool = False,
) -> memoryview:
    """An image as a file's bytes, as `write_picture` writes it.

    Args:
        image: of mode L, LA, RGB or RGBA.
        suffix: the file extension, such as `.png`.
        quality: as for `write_picture`.
        compress: as for `write_picture`.
        strip: as for `write_picture`.

    Raises:
        UnknownFormat: for the extension.
        UnwritableOutput: a picture beyond the format: 65,500 pixels a side in JPEG, 16,383 in WebP.
        ValueError: as `write_picture`.
    """
    _check_suffix(suffix)
    check_options(suffix, quality=quality, compress=compress)
    notes = Notes("the result")
    buffer = io.BytesIO()
    encoded(image, suffix, notes, quality=quality, compress=compress, strip=strip)(buffer)
    warn(notes.all())
    return buffer.getbuffer()


def _check_suffix(suffix: str, place: str = "") -> None:
    if suffix.lower() not in FORMATS:
        raise UnknownFormat(
            f"{place}no picture can be written as {suffix!r}; use one of {', '.join(WRITABLE)}"
        )


def _mode(path: Path) -> int | None:
    """Return the kind of file that is there, and its permissions; None if nothing is."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
