"""How much memory a request takes per megapixel, for each exported model: the figures for sizing a server.

Each model is served alone by `impasto-serving local` on the processor; the server's peak resident memory is read from
/proc after one request of each size. Linux only.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from watched_servers import memory, reset_peak, started

from impasto.client import Client

SIDES = ((512, 512), (1024, 1024))
"""Height and width of the two pictures: 0.26 and 1.05 megapixels."""

LARGE = (1024, 1536)
"""Height and width of the picture that dreams whole and in tiles."""

TILES = (0, 512)
"""Their longest side in pixels; 0 for none."""


def requests(height: int, width: int) -> Mapping[str, tuple[str, Mapping[str, object]]]:
    """What is sent to each model for a picture of that size: the signature and its inputs."""
    rng = np.random.default_rng(0)
    picture: NDArray[np.uint8] = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    style = picture[:256, :256]
    state = (picture / np.float32(127.5) - 1).astype(np.float32)
    return {
        "srcnn": ("serving_default", {"image": picture[None]}),
        "stylize": ("serving_default", {"content": picture[None], "style": style[None]}),
        "dream": ("ascend", {"state": state, "steps": np.int32(1)}),
        "transfer": ("serving_default", {"content": picture, "style": style, "steps": np.int32(1)}),
    }


def served(models: Path, model: str) -> AbstractContextManager[tuple[str, int]]:
    """A local server with one model: its address and process id."""
    options = ["--models", str(models), "--only", model, "--port", "0"]
    return started("-m", "impasto.serving", "local", *options)


def peak_megabytes(pid: int) -> float:
    """The process's highest resident memory since it started or since `reset_peak`."""
    return memory(pid, "VmHWM") / 2**20


def peak_of(client: Client, pid: int, model: str, size: tuple[int, int], **others: object) -> float:
    """The server's peak memory in megabytes while it answers a request for a picture of that height and width."""
    signature, inputs = requests(*size)[model]
    reset_peak(pid)
    client.predict(model, {**inputs, **others}, signature=signature)
    return peak_megabytes(pid)


def measure_sizes(models: Path) -> None:
    """A row for each model: idle, and peaks by the picture's size."""
    click.echo("model      idle MB   0.26 MP: peak MB   1.05 MP: peak MB   MB per megapixel")
    for model in requests(*SIDES[0]):
        if not (models / model).is_dir():
            continue
        with served(models, model) as (address, pid), Client(address, timeout=600) as client:
            idle = peak_megabytes(pid)
            peaks = [peak_of(client, pid, model, size) for size in SIDES]
        megapixels = [height * width / 1e6 for height, width in SIDES]
        slope = (peaks[1] - peaks[0]) / (megapixels[1] - megapixels[0])
        click.echo(f"{model:<9} {idle:>8.0f} {peaks[0]:>18.0f} {peaks[1]:>18.0f} {slope:>18.0f}")


def measure_tiles(models: Path) -> None:
    """A row for each size of tiles: the peak of one step, in a server of its own, as a server keeps some memory."""
    height, width = LARGE
    for tile in TILES:
        with served(models, "dream") as (address, pid), Client(address, timeout=600) as client:
            backbone = client.predict("dream", {}, signature="describe")["backbone"].item().decode()
            peak = peak_of(client, pid, "dream", LARGE, tile=np.int32(tile))
        cut = f"tiles of {tile} px" if tile else "whole"
        click.echo(f"dream, {backbone}, a step at {height} x {width}, {cut}: peak {peak:.0f} MB")


@click.command()
@click.option("--models", type=click.Path(path_type=Path), default=Path("models"), show_default=True)
def main(models: Path) -> None:
    """Print idle and peak memory for each model of the repository, and of a dream with and without tiles."""
    measure_sizes(models)
    if (models / "dream").is_dir():
        measure_tiles(models)


if __name__ == "__main__":
    main()
