"""Write results so that a file is complete or absent, whatever is killed when."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from PIL import Image

from impasto.client.errors import OutputExists, UnknownFormat, UnwritableOutput

JPEG_QUALITY: Final = 95

# PIL's format and its save options by extension. GIF is left out: 256 colours would undo what the models do.
_FORMATS: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = MappingProxyType(
    {
        ".png": ("PNG", {}),
        ".jpg": ("JPEG", {"quality": JPEG_QUALITY, "subsampling": 0}),
        ".jpeg": ("JPEG", {"quality": JPEG_QUALITY, "subsampling": 0}),
        ".webp": ("WEBP", {"quality": JPEG_QUALITY}),
        ".tif": ("TIFF", {"compression": "tiff_adobe_deflate"}),
        ".tiff": ("TIFF", {"compression": "tiff_adobe_deflate"}),
        ".bmp": ("BMP", {}),
    }
)
WRITABLE: Final = tuple(_FORMATS)
"""The file extensions that can be written."""

_OPAQUE: Final = ("JPEG", "BMP")


def check_output(path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Find out before the work whether its result could be written.

    Returns:
        The path with symbolic links followed: the file that will be written.

    Raises:
        OutputError: UnknownFormat for the extension, OutputExists, or UnwritableOutput if there is no such
            folder, or the system allows no such name.
    """
    target = _resolved(path)
    if target.suffix.lower() not in _FORMATS:
        raise UnknownFormat(
            f"{path}: no picture can be written as {target.suffix!r}; use one of {', '.join(WRITABLE)}"
        )
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
    return target


def write_picture(path: str | os.PathLike[str], image: Image.Image, *, overwrite: bool = False) -> None:
    """Write an image in the format that the extension names: PNG, JPEG (quality 95), WebP, TIFF or BMP.

    The image's `icc_profile` and `dpi` are kept. JPEG and BMP have no transparency: it is flattened over
    white.

    Args:
        path: the file to write, in a folder that exists.
        image: of mode L, LA, RGB or RGBA.
        overwrite: replace the file if it exists.

    Raises:
        OutputError: as `check_output`, or UnwritableOutput when the system refuses.
    """
    target = check_output(path, overwrite=overwrite)
    try:
        data = encode_picture(image, target.suffix)
    except UnwritableOutput as error:
        raise UnwritableOutput(f"cannot write {path}: {error}") from error
    write_bytes(target, data, overwrite=overwrite)


def encode_picture(image: Image.Image, suffix: str) -> memoryview:
    """An image as a file's bytes, as `write_picture` writes it.

    Args:
        image: of mode L, LA, RGB or RGBA.
        suffix: the file extension, such as `.png`.

    Raises:
        UnknownFormat: for the extension.
        UnwritableOutput: a picture beyond the format: 65,535 pixels a side in JPEG, 16,383 in WebP.
    """
    if suffix.lower() not in _FORMATS:
        raise UnknownFormat(f"no picture can be written as {suffix!r}; use one of {', '.join(WRITABLE)}")
    kind, options = _FORMATS[suffix.lower()]
    carried = {key: image.info[key] for key in ("icc_profile", "dpi") if key in image.info}
    buffer = io.BytesIO()
    try:
        (flattened(image) if kind in _OPAQUE else image).save(buffer, kind, **options, **carried)
    except (OSError, ValueError) as error:
        raise UnwritableOutput(f"not possible as {kind}: {error}") from error
    return buffer.getbuffer()


def write_bytes(
    path: str | os.PathLike[str], data: bytes | bytearray | memoryview, *, overwrite: bool = False
) -> None:
    """Write a file aside, flush it to the disk and rename it: it appears complete or not at all.

    What a killed process can leave is a hidden file `.impasto-<random>.part` beside the target, never the
    target itself.

    Raises:
        OutputError: OutputExists (checked again at the last moment, atomically) or UnwritableOutput.
    """
    target = _resolved(path)
    # Without the target's name, which may be as long as the system allows.
    aside = target.with_name(f".impasto-{secrets.token_hex(8)}.part")
    try:
        _write_synced(aside, data)
        try:
            _move(aside, target, overwrite=overwrite)
        finally:
            aside.unlink(missing_ok=True)
        _sync_folder(target.parent)
    except FileExistsError as error:
        raise OutputExists(f"{path} exists and may not be replaced without overwrite") from error
    except OSError as error:
        raise UnwritableOutput(f"cannot write {path}: {error.strerror or error}") from error


def flattened(image: Image.Image) -> Image.Image:
    """The image without transparency, over white: of mode L or RGB, or as it is if it has none."""
    if image.mode not in ("LA", "RGBA"):
        return image
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image.convert("RGBA"))
    return white.convert("L" if image.mode == "LA" else "RGB")


def _resolved(path: str | os.PathLike[str]) -> Path:
    try:
        return Path(path).resolve()
    except (OSError, RuntimeError) as error:  # a loop of symbolic links; RuntimeError before Python 3.13
        raise UnwritableOutput(f"cannot write {Path(path)}: {error}") from error


def _mode(path: Path) -> int | None:
    """What kind of file is there, and its permissions; None if nothing is."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None


def _write_synced(path: Path, data: bytes | bytearray | memoryview) -> None:
    try:
        with path.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        raise


def _move(aside: Path, target: Path, *, overwrite: bool) -> None:
    if overwrite:
        aside.replace(target)
        return
    try:
        os.link(aside, target)  # unlike a rename, it fails if the target has appeared meanwhile
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: check, then rename
        if target.exists():
            raise FileExistsError(str(target)) from None
        aside.replace(target)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system can open a folder (Windows cannot)."""
    with contextlib.suppress(PermissionError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
