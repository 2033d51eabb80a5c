"""`impasto predict`: call any signature of any model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from numpy.typing import NDArray

from impasto.client import Model, ModelMetadata, SignatureInfo
from impasto.client.array_text import json_values, summary
from impasto.client.cli import exit_codes
from impasto.client.cli.options import Common, common_options
from impasto.client.cli.output import note, print_json, print_line, print_path
from impasto.client.cli.served import look_up
from impasto.client.cli.tensor_files import Saving
from impasto.client.given.pixel_range import PixelRange
from impasto.client.given.values import Reading, RequestError, from_text
from impasto.client.printable import printable
from impasto.client.repository.requests import check_names, chosen
from impasto.client.signatures import SERVING_DEFAULT


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
