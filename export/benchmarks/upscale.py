"""Upscalers through a server, beside what people would pick instead, in one run: quality, and megapixels a second.

The graph alone, onnxruntime and ncnn compute the same network; Pillow and OpenCV interpolate. All take turns, so that a
busy machine slows each of them; compare the ratios of the medians. What is not installed is named as skipped. A second
table has a large photo from file to file.
"""

from __future__ import annotations

import math
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table
from upscale_files import FACTOR as FILES_FACTOR
from upscale_files import from_file_to_file
from upscale_peers import RUNTIMES, Enlarge, Pixels, resizers, runtimes

from impasto.client import Client
from impasto.client.signatures import UPSCALE
from impasto.export.repository import ModelRepository
from impasto.export.sample import photo
from impasto.export.upscale import realesrgan
from impasto.export.upscale.evaluate import psnr
from impasto.export.upscale.photos import crop_to_multiple, held_out_photos, shrink
from impasto.export.upscale.publish import ExportedUpscaler, exported_upscaler, publish, upscalers
from impasto.export.wheel import WheelError
from impasto.serving import LocalServer

SERVED, GRAPH = "Impasto, through the client", "Impasto, the graph alone"
_PROBE = 64
_LEAST_SIDE = 64
_LONGEST = 60.0
"""The seconds up to which a large photo is enlarged from file to file."""
_REST = 0.2
"""Seconds before each run: the threads of the one before may still spin, waiting for more."""


@dataclass
class Row:
    """What is known of one program.

    Attributes:
        quality: mean PSNR on the held-out photos in dB; NaN where the network is that of the first row.
        difference: the most grey levels by which a sample differs from the first row's, of the same network.
        seconds: the median seconds for each side of a picture.
        skipped: the reason for nothing of it.
    """

    quality: float = math.nan
    difference: int | None = None
    seconds: dict[int, float] = field(default_factory=dict[int, float])
    skipped: str = ""


@click.command()
@click.option(
    "--models", type=click.Path(path_type=Path, exists=True), default=Path("models"), show_default=True
)
@click.option("--model", "names", multiple=True, help="Only this model. Several may be named.")
@click.option(
    "--tile", type=click.IntRange(_LEAST_SIDE), default=512, show_default=True, help="Side of one tile."
)
@click.option(
    "--picture", type=click.IntRange(_LEAST_SIDE), default=1024, show_default=True, help="Side of a picture."
)
@click.option("--repeats", type=click.IntRange(1), default=3, show_default=True)
@click.option(
    "--seconds", type=float, default=10.0, show_default=True, help="Halve sides for which a run takes longer."
)
@click.option(
    "--file-width",
    type=click.IntRange(_LEAST_SIDE),
    default=4000,
    show_default=True,
    help="Width of the photo from file to file; it is left out for networks that would take a minute.",
)
def main(
    models: Path,
    names: tuple[str, ...],
    tile: int,
    picture: int,
    repeats: int,
    seconds: float,
    file_width: int,
) -> None:
    """Measure each upscaler of a repository, and Real-ESRGAN's, and print a table for factors 2 and 4, else for 3."""
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        repository = _gathered(models, Path(folder), names or UPSCALE.models, console)
        server = stack.enter_context(LocalServer(repository.root))
        client = stack.enter_context(Client(server.address, timeout=math.inf))
        for model in upscalers(repository.root):
            with exported_upscaler(repository.root, model) as graph:
                for factor in [each for each in (2, 4) if each in graph.factors] or graph.factors:
                    programs = _programs(client, graph, repository, factor)
                    rows = _measured(programs, factor, (tile, picture), repeats, seconds)
                    console.print(_table(model, factor, rows))
                    if factor == FILES_FACTOR and _expected(rows[SERVED], file_width) < _LONGEST:
                        peers = {name: programs[name] for name in RUNTIMES}
                        table = from_file_to_file(
                            model,
                            server.address,
                            peers,
                            overlap=client.describe_upscale(model=model).overlap,
                            width=file_width,
                            repeats=repeats,
                        )
                        console.print(table)


def _gathered(models: Path, folder: Path, names: Sequence[str], console: Console) -> ModelRepository:
    """Copy the newest versions that there are into a repository, and publish Real-ESRGAN's networks into it."""
    there, repository = ModelRepository(models), ModelRepository(folder)
    for name in names:
        network = name.removeprefix("realesrgan-")
        if (models / name).is_dir():
            newest = there.version(name).path
            shutil.copytree(newest, folder / name / newest.name)
        elif name != network and network in realesrgan.NETWORKS:
            try:
                upscaler, origin = realesrgan.load(network)
            except WheelError as error:
                console.print(f"{name} is left out: {error}")
            else:
                publish(upscaler, name, folder, source={"origin": origin.as_dict()})
        else:
            console.print(f"{name} is left out: it is not in {models}")
    return repository


def _programs(
    client: Client, graph: ExportedUpscaler, repository: ModelRepository, factor: int
) -> Mapping[str, Enlarge | str]:
    model = graph.version.name

    def served(pixels: Pixels) -> Pixels:
        return np.asarray(client.upscale(pixels, model=model, factor=factor))

    def alone(pixels: Pixels) -> Pixels:
        return graph.upscale(pixels, factor)

    training = repository.manifest(model).source.get("training", {})
    peers = runtimes(graph.version, training, factor)
    return {SERVED: served, GRAPH: alone, **peers, **resizers(factor)}


def _measured(
    programs: Mapping[str, Enlarge | str], factor: int, wanted: tuple[int, int], repeats: int, limit: float
) -> dict[str, Row]:
    running = {name: found for name, found in programs.items() if not isinstance(found, str)}
    rows = {name: Row(skipped=found if isinstance(found, str) else "") for name, found in programs.items()}
    sample = photo(_PROBE, _PROBE)
    expected = running[SERVED](sample).astype(int)
    start = time.perf_counter()
    running[SERVED](sample)
    each = (time.perf_counter() - start) / _PROBE**2
    interpolations = resizers(factor)
    for name, enlarge in running.items():
        if name == SERVED or name in interpolations:
            rows[name].quality = _quality(enlarge, factor)
        else:
            rows[name].difference = int(np.abs(enlarge(sample) - expected).max())
    for side in sorted({_fitting(side, each, limit) for side in wanted}):
        pixels = photo(side, side)
        found: dict[str, list[float]] = {name: [] for name in running}
        for repeat in range(repeats + 1):
            for name, enlarge in running.items():
                time.sleep(_REST)
                start = time.perf_counter()
                enlarge(pixels)
                if repeat:  # the first is not counted
                    found[name].append(time.perf_counter() - start)
        for name, times in found.items():
            rows[name].seconds[side] = float(np.median(times))
    return rows


def _expected(row: Row, width: int) -> float:
    """Return the seconds for a photo of this width, by those for a square one."""
    side, seconds = max(row.seconds.items())
    return seconds * width * width * 3 / 4 / side**2


def _fitting(side: int, each: float, limit: float) -> int:
    while side > _LEAST_SIDE and side * side * each > limit:
        side //= 2
    return side


def _quality(enlarge: Enlarge, factor: int) -> float:
    """Return the mean PSNR in dB on the held-out photos, shrunk by Pillow's bicubic filter."""
    originals = [crop_to_multiple(each.pixels, factor) for each in held_out_photos()]
    return float(np.mean([psnr(original, enlarge(shrink(original, factor))) for original in originals]))


def _table(model: str, factor: int, rows: Mapping[str, Row]) -> Table:
    sides = sorted(rows[SERVED].seconds)
    table = Table(title=f"{model}, {factor} times", title_justify="left", caption_justify="left")
    table.add_column("")
    of_sides = (column for side in sides for column in (f"{side} px: MP/s", "time"))
    for column in ("PSNR, dB", "levels off", *of_sides):
        table.add_column(column, justify="right")
    skipped = [f"{name}: {row.skipped}" for name, row in rows.items() if row.skipped]
    for name, row in rows.items():
        if row.skipped:
            table.add_row(name, "skipped")
            continue
        off = "" if row.difference is None else str(row.difference)
        cells = ["" if math.isnan(row.quality) else f"{row.quality:.2f}", off]
        for side in sides:
            cells.append(f"{(factor * side) ** 2 / 1e6 / row.seconds[side]:.2f}")
            cells.append(f"{row.seconds[side] / rows[SERVED].seconds[side]:.2f}")
        table.add_row(name, *cells)
    table.caption = "\n".join(("MP/s: megapixels of the result a second; time: by the first row's", *skipped))
    return table


if __name__ == "__main__":
    main()
