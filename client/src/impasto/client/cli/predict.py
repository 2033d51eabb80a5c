"""`impasto predict`: call any signature of any model, and keep its outputs as files."""

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

from impasto.client import Model, ModelMetadata, SignatureInfo
from impasto.client.array_text import json_values, summary
from impasto.client.cli import exit_codes
from impasto.client.cli.files import make_folder, real
from impasto.client.cli.options import Common, common_options
from impasto.client.cli.output import note, print_json, print_line, print_path
from impasto.client.cli.served import look_up
from impasto.client.given import PixelRange, Reading, RequestError, from_text
from impasto.client.model import shape_text
from impasto.client.pictures import WRITABLE, check_output, check_place, write_bytes, write_picture
from impasto.client.repository.golden import check_names, chosen
from impasto.client.signatures import SERVING_DEFAULT
from impasto.client.texts import json_text, printable

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


def _pairs(_context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    """The values of --input by name."""
    found: dict[str, str] = {}
    for word in given:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{word!r} is not NAME=VALUE, such as x=3.5 or image=@photo.jpg")
        if name in found:
            raise click.BadParameter(f"{name!r} is given twice; give each input once")
        found[name] = value
    return found


def _range(_context: click.Context, _option: click.Parameter, text: str | None) -> PixelRange | None:
    if text is None:
        return None
    try:
        return PixelRange.parse(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _names(_context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """The output names of every --outputs, which are single ones or lists with commas."""
    return tuple(dict.fromkeys(name for word in given for name in word.split(",") if name))


@click.command(short_help="Call any signature of any model.")
@click.argument("name", metavar="MODEL")
@click.option(
    "-i",
    "--input",
    "given",
    multiple=True,
    callback=_pairs,
    metavar="NAME=VALUE",
    help="A value for an input: a number, JSON, text or @FILE. Repeat it for more.",
)
@click.option("--signature", default=SERVING_DEFAULT, show_default=True, metavar="NAME", help="What to call.")
@click.option(
    "--outputs",
    "wanted",
    multiple=True,
    callback=_names,
    metavar="NAME[,NAME]",
    help="Ask only for these.  [default: all]",
)
@click.option("--model-version", type=int, metavar="NUMBER", help="The version.  [default: the newest]")
@click.option("--label", metavar="LABEL", help="The label of the version, such as stable.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="PLACE",
    help="A file (.npy, .json, .png or another picture) or, for several outputs, a folder.",
)
@click.option("--overwrite", is_flag=True, help="Replace results that exist.")
@click.option(
    "--pixels",
    callback=_range,
    metavar="LOW..HIGH",
    help="The numbers that floats take for black and white: 0..255, 0..1 or -1..1.",
)
@click.option("--max-pixels", type=click.IntRange(1), help="The largest picture that is read.")
@common_options
def predict(
    *,
    common: Common,
    name: str,
    given: Mapping[str, str],
    signature: str,
    wanted: tuple[str, ...],
    model_version: int | None,
    label: str | None,
    output: Path | None,
    overwrite: bool,
    pixels: PixelRange | None,
) -> int:
    """Call a signature of MODEL, whoever made it, and print or save its outputs.

    \b
      impasto predict half -i x=[1,2,5]
      impasto predict srcnn -i image=@photo.png -o large.png
      impasto predict classifier -i image=@cat.jpg --pixels -1..1 --outputs scores --json
      impasto predict words -i text="a red boat" -o vectors/

    The server says which dtype and shape an input has (`impasto models MODEL -s`), and the value is made into that or
    refused: nothing is rounded or resized. One number or text fills an input whose dimensions are free. @FILE is an
    array (.npy), a picture or, where the input is a string, the file's bytes; text that begins with @ is written @@...
    A picture gets a batch dimension where the input has four. Inputs that have a default may be left out.
    """
    saving = None if output is None else Saving(output, overwrite=overwrite, pixels=pixels)
    with common.connect() as client:
        metadata = look_up(client, Model(name, version=model_version, label=label))
        try:
            called = chosen(signature, metadata.signatures)
            check_names(called, given)
            _check_outputs(called, wanted)
            reading = Reading(pixels=pixels, max_pixels=client.settings.max_pixels)
            inputs = {key: from_text(called.inputs[key], text, reading) for key, text in given.items()}
        except RequestError as error:
            raise click.UsageError(str(error)) from error
        if saving is not None:
            saving.check(wanted or tuple(called.outputs))
        # The version whose signature the inputs were made for, were another one loaded meanwhile.
        answered = Model(metadata.model, version=metadata.version)
        found = client.predict(answered, inputs, signature=signature, outputs=wanted)
    # A server sends them in any order.
    outputs = {key: found[key] for key in wanted or sorted(found)}
    paths = {} if saving is None else saving.write(outputs)
    if common.as_json:
        print_json(_as_json(metadata, signature, outputs, paths))
    elif saving is None:
        for key, array in outputs.items():
            print_line(f"{printable(key)} {summary(array)}")
    else:
        for path in paths.values():
            print_path(path)
        if not common.quiet:
            for key, array in outputs.items():
                note(f"{key} {summary(array)}")
    return exit_codes.DONE


def _check_outputs(signature: SignatureInfo, wanted: tuple[str, ...]) -> None:
    for name in wanted:
        if name not in signature.outputs:
            raise RequestError(
                f"signature {signature.name!r} has no output {name!r}; its outputs are: {', '.join(signature.outputs)}"
            )


def _as_json(
    metadata: ModelMetadata,
    signature: str,
    outputs: Mapping[str, NDArray[Any]],
    paths: Mapping[str, Path],
) -> dict[str, Any]:
    return {
        "model": metadata.model,
        "version": metadata.version,
        "signature": signature,
        "outputs": {
            name: {
                "dtype": "string" if array.dtype.kind == "O" else array.dtype.name,
                "shape": list(array.shape),
                **({"file": str(paths[name])} if name in paths else {"values": json_values(array)}),
            }
            for name, array in outputs.items()
        },
    }
