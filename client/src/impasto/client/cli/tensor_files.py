"""The outputs of a call as files: arrays, pictures, JSON, or the bytes of a string."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, Final

import click
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client.array_text import json_values
from impasto.client.cli.files import make_folder, real
from impasto.client.given.pixel_range import PixelRange
from impasto.client.json_text import json_text
from impasto.client.metadata import shape_text
from impasto.client.pictures import WRITABLE, check_output, check_place, write_bytes, write_picture

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]")
_CHANNELS: Final = (1, 3, 4)


@dataclass(frozen=True)
class Saving:
    """The place for the outputs.

    Attributes:
        place: a file, or a folder for any number of outputs: it is one, or its name has no extension.
        overwrite: whether files that are there are replaced.
        pixels: the range of outputs of floats that are written as pictures; None where nobody said.
    """

    place: Path
    _: KW_ONLY
    overwrite: bool
    pixels: PixelRange | None

    @property
    def is_folder(self) -> bool:
        """True if the place is a folder."""
        return self.place.is_dir() or not self.place.suffix

    def check(self, names: Sequence[str]) -> None:
        """Find out before the call whether its outputs can be written.

        Raises:
            click.UsageError: a file for several outputs, or one of an unknown kind.
            OutputError: the file exists, or its folder does not.
        """
        if self.is_folder:
            return
        if len(names) != 1:
            raise click.UsageError(
                f"-o {self.place} is a file, and there are {len(names)} outputs ({', '.join(names)}); "
                "choose one with --outputs, or name a folder"
            )
        if self.place.suffix.lower() in WRITABLE:
            check_output(self.place, overwrite=self.overwrite)
        else:
            check_place(real(self.place), self.place, overwrite=self.overwrite)

    def write(self, outputs: Mapping[str, NDArray[Any]]) -> dict[str, Path]:
        """Write the outputs, each complete or not at all, and return their paths by name.

        Raises:
            click.ClickException: an output cannot be written as the file's extension says.
            OutputError: the system refuses, or a file is there.
        """
        if not self.is_folder:
            return {name: self._file(name, array, self.place) for name, array in outputs.items()}
        make_folder(self.place)
        stems = _stems(list(outputs))
        return {
            name: self._file(name, array, self.place / f"{stems[name]}{_suffix(array)}")
            for name, array in outputs.items()
        }

    def _file(self, name: str, array: NDArray[Any], path: Path) -> Path:
        suffix = path.suffix.lower()
        if suffix == ".json":
            write_bytes(path, f"{json_text(json_values(array))}\n".encode(), overwrite=self.overwrite)
        elif array.dtype.kind == "O":
            write_bytes(path, _one_string(name, array, path), overwrite=self.overwrite)
        elif suffix == ".npy":
            file = io.BytesIO()
            np.save(file, array, allow_pickle=False)
            write_bytes(path, file.getvalue(), overwrite=self.overwrite)
        elif suffix in WRITABLE:
            write_picture(path, self._picture(name, array, path), overwrite=self.overwrite)
        else:
            raise click.ClickException(
                f"output {name!r} is {array.dtype.name}, which {path} cannot hold; "
                f"use .npy, .json or a picture ({', '.join(WRITABLE)})"
            )
        return path

    def _picture(self, name: str, array: NDArray[Any], path: Path) -> Image.Image:
        said = f"output {name!r} is {array.dtype.name} {shape_text(array.shape)}"
        pixels = array[0] if array.ndim == 4 and len(array) == 1 else array
        if pixels.ndim == 2:
            pixels = pixels[..., None]
        if not _is_picture(pixels):
            raise click.ClickException(f"{said}, which is not one picture; save it as .npy, not as {path}")
        if pixels.dtype.kind not in "biu":
            if self.pixels is None:
                raise click.ClickException(
                    f"{said}, and only the model's maker knows the range of its pixels; "
                    "say it, such as --pixels 0..1, or save it as .npy"
                )
            pixels = self.pixels.to_pixels(pixels)
        if pixels.dtype != np.uint8:
            raise click.ClickException(f"{said}, which no picture holds; save it as .npy, not as {path}")
        return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else np.ascontiguousarray(pixels))


def _is_picture(array: NDArray[Any]) -> bool:
    return array.ndim == 3 and array.shape[-1] in _CHANNELS and array.size > 0


def _suffix(array: NDArray[Any]) -> str:
    """The extension in a folder: a picture of bytes is one for people too; strings are JSON; the rest arrays."""
    if array.dtype.kind == "O":
        return ".json"
    picture = array[0] if array.ndim == 4 and len(array) == 1 else array
    return ".png" if array.dtype == np.uint8 and _is_picture(picture) else ".npy"


def _stems(names: Sequence[str]) -> dict[str, str]:
    """The names of files for outputs: a server's own words must not lead out of the folder."""
    found: dict[str, str] = {}
    for name in names:
        stem = plain = _UNSAFE.sub("_", name).lstrip(".")[:100] or "output"
        count = 1
        while stem.casefold() in {other.casefold() for other in found.values()}:
            count += 1
            stem = f"{plain}-{count}"
        found[name] = stem
    return found


def _one_string(name: str, array: NDArray[Any], path: Path) -> bytes:
    """The bytes of the only string, such as an encoded picture."""
    if array.size != 1 or path.suffix.lower() == ".npy":
        raise click.ClickException(
            f"output {name!r} is {array.size} strings, which {path} cannot hold; save it as .json"
        )
    item = array.ravel()[0]
    return item if isinstance(item, bytes) else str(item).encode()
