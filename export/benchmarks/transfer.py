"""What a step of `transfer` costs through a server, beside the usual recipe on Keras' VGG19, in one run.

The recipe runs eagerly, as its authors run it, and as a tf.function. All take turns, so that a busy machine slows each
of them; compare the ratios of the medians.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.table import Table

from impasto.client import Client
from impasto.export.backbones import VGG19, Provenance, Weights
from impasto.export.backbones.random import random_arrays
from impasto.export.compute import Compute
from impasto.export.transfer.publish import publish
from impasto.serving import LocalServer
from oracles.transfer_oracle import Painting, StyleTransferrer, keras_vgg19

EAGER, GRAPH, SERVED, LOW, EMPTY = (
    "recipe, eager",
    "recipe, tf.function",
    "served",
    "served, bfloat16",
    "empty chunk",
)
GOALS = {EAGER: 0.55, GRAPH: 1.0}
CHUNK = 25
"""Steps a chunk, for the overhead of chunking."""


@click.command()
@click.option("--side", "sides", type=int, multiple=True, default=(256, 512), show_default=True)
@click.option("--repeats", type=click.IntRange(1), default=5, show_default=True)
@click.option("--steps", type=click.IntRange(1), default=2, show_default=True, help="Steps a measurement.")
def main(sides: tuple[int, ...], repeats: int, steps: int) -> None:
    """Measure and print a table for each side of a square picture."""
    weights = Weights(random_arrays(VGG19), Provenance(source="random", origin="random", licence="none"))
    recipe = StyleTransferrer(keras_vgg19(weights.arrays))
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        clients = {}
        for name, compute in ((SERVED, Compute.FLOAT32), (LOW, Compute.BFLOAT16)):
            models = Path(folder, compute.value)
            publish(weights, models, compute=compute)
            server = stack.enter_context(LocalServer(models))
            clients[name] = stack.enter_context(Client(server.address, timeout=math.inf))
        for side in sides:
            runs = _runs(recipe, clients, side, steps)
            console.print(_table(side, _measure(runs, repeats), steps))


def _runs(
    recipe: StyleTransferrer, clients: Mapping[str, Client], side: int, steps: int
) -> dict[str, Callable[[], object]]:
    rng = np.random.default_rng(0)
    content, style = (rng.integers(0, 256, (side, side, 3), dtype=np.uint8) for _ in range(2))
    painting = Painting(recipe, content / np.float32(255), style / np.float32(255))
    compiled = tf.function(painting.step)

    def repeated(step: Callable[[], Any]) -> Callable[[], object]:
        return lambda: [float(step()[0]) for _ in range(steps)]

    runs: dict[str, Callable[[], object]] = {EAGER: repeated(painting.step), GRAPH: repeated(compiled)}
    for name, client in clients.items():
        runs[name] = _chunk(client, content, style, steps)
    return runs | {EMPTY: _chunk(clients[SERVED], content, style, 0)}


def _chunk(client: Client, content: Any, style: Any, steps: int) -> Callable[[], object]:
    opened = client.predict("transfer", {"content": content, "style": style}, signature="open")
    nothing = np.zeros_like(opened["image"])
    inputs = {**opened, "m": nothing, "v": nothing, "steps": np.int32(steps)}
    return lambda: client.predict("transfer", inputs, signature="optimize")


def _measure(runs: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """The median seconds of each, after one run that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for repeat in range(repeats + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if repeat:
                seconds[name].append(time.perf_counter() - start)
    return {name: float(np.median(found)) for name, found in seconds.items()}


def _table(side: int, seconds: Mapping[str, float], steps: int) -> Table:
    table = Table(title=f"{side} x {side}", title_justify="left")
    table.add_column("")
    for column in ("ms a step", *(f"of {name} (goal {goal})" for name, goal in GOALS.items())):
        table.add_column(column, justify="right")
    for name, found in seconds.items():
        if name != EMPTY:
            ratios = [f"{found / seconds[base]:.2f}" for base in GOALS]
            table.add_row(name, f"{1e3 * found / steps:.0f}", *ratios)
    empty, chunk = seconds[EMPTY], CHUNK * (seconds[SERVED] - seconds[EMPTY]) / steps
    table.caption = f"a chunk without steps takes {1e3 * empty:.0f} ms: {empty / chunk:.1%} of {CHUNK} steps"
    return table


if __name__ == "__main__":
    main()
