"""Results as image files, in the format that their name says: whole ones, and rows that are written while they come."""

from __future__ import annotations

import contextlib
import io
import os
import stat
from collections.abc import Generator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client.errors import OutputExists, UnknownFormat, UnwritableOutput
from impasto.client.pictures._atomic import resolved, written_aside
from impasto.client.pictures._deflate import PngCompression
from impasto.client.pictures._encoding import (
    FORMATS,
    check_options,
    encoded,
    without_profile,
    writable_metadata,
)
from impasto.client.pictures._notes import Notes, warn
from impasto.client.pictures._png_writing import PngWriter

if TYPE_CHECKING:
    from typing_extensions import Self  # in typing from Python 3.11 on

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


WRITTEN_IN_ROWS: Final = (".png",)
"""The file extensions of results that can be written row by row."""


class RowSink(Protocol):
    """Takes a picture row by row. Its methods block while it is busy: call them in a thread where that matters."""

    def begin(self, size: tuple[int, int], mode: str, info: Mapping[str, Any]) -> None:
        """Begin a picture, or begin it again: what was written before is forgotten.

        Args:
            size: the width and height, in pixels.
            mode: L, LA, RGB or RGBA.
            info: `icc_profile`, `dpi` and `exif`, as in an image's info.
        """

    def write(self, rows: NDArray[np.uint8]) -> None:
        """Take the next rows, from top to bottom: uint8 [n, W, channels], or [n, W] for mode L."""


class _Abandoned(Exception):  # noqa: N818 - it tells a context manager of an end, and is no error
    pass


class RowFile:
    """A PNG file that is written row by row, aside; renamed when the block ends, and deleted if an exception ends it.

    It is what `write_picture` writes of the same picture with the same options. A context manager, and a RowSink.

    Args:
        path: the file to write, in a folder that exists; with the extension .png, and so what a symbolic link leads to.
        overwrite: as for `write_picture`.
        compress: as for `write_picture`.
        strip: as for `write_picture`.

    Raises:
        OutputError: as `write_picture`, and UnknownFormat for another extension.
        ValueError: rows of the picture are missing, or too many, or of another kind.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        compress: PngCompression | None = None,
        strip: bool = False,
    ) -> None:
        target = check_output(path, overwrite=overwrite, compress=compress)
        if target.suffix.lower() not in WRITTEN_IN_ROWS:
            raise UnknownFormat(
                f"{path}: no {target.suffix} is written row by row; use {', '.join(WRITTEN_IN_ROWS)}"
            )
        self._path = path
        self._compress: PngCompression | None = compress
        self._strip = strip
        self._aside = written_aside(path, overwrite=overwrite)
        self._notes = Notes(str(path))
        self._converted: Mapping[str, Any] | None = None
        self._file: BinaryIO
        self._png: PngWriter | None = None

    def __enter__(self) -> Self:
        self._file = self._aside.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        except BaseException:
            self._give_up()
            raise
        if kind is not None:
            self._give_up()
            return
        self._aside.__exit__(None, None, None)
        warn(self._notes.all())

    def begin(self, size: tuple[int, int], mode: str, info: Mapping[str, Any]) -> None:
        """Begin a picture, or begin it again. See `RowSink`."""
        if self._png is not None:
            self._png.abandon()
        self._notes = Notes(str(self._path))
        self._converted = info if self._strip and info.get("icc_profile") else None
        like = Image.new(mode, (1, 1))
        like.info.update(info)
        metadata = {} if self._strip else writable_metadata(like, "PNG", self._notes)
        with self._said_of_the_system():
            self._file.seek(0)
            self._file.truncate()
            self._png = PngWriter(self._file, size, mode, compression=self._compress, metadata=metadata)

    def write(self, rows: NDArray[np.uint8]) -> None:
        """Take the next rows. See `RowSink`."""
        if self._png is None:
            raise ValueError("rows are written before the picture is begun")
        if self._converted is not None:
            image = Image.fromarray(rows)
            image.info.update(self._converted)
            rows = np.asarray(without_profile(image, self._notes))
        with self._said_of_the_system():
            self._png.write(rows)

    def _finish(self) -> None:
        if self._png is None:
            raise ValueError("no picture was begun")
        with self._said_of_the_system():
            self._png.finish()

    def _give_up(self) -> None:
        """Delete the file, whatever it was that ended the block: no error of the file's own."""
        if self._png is not None:
            self._png.abandon()
        with contextlib.suppress(
            UnwritableOutput
        ):  # such as by a full disk, when what was buffered is flushed
            self._aside.__exit__(_Abandoned, _Abandoned(), None)

    @contextlib.contextmanager
    def _said_of_the_system(self) -> Generator[None, None, None]:
        try:
            yield
        except OSError as error:
            raise UnwritableOutput(f"cannot write {self._path}: {error.strerror or error}") from error
