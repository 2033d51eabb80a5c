"""What a step of `transfer` costs through a server, beside the usual recipe on Keras' VGG19, in one run.

The recipe runs eagerly, as its authors run it, and as a tf.function. All take turns, so that a busy machine slows each
of them; compare the ratios of the medians. A step of the recipe "fine" may cost 1.05 of a classic one.

With --pictures it tells the seconds to a picture by each of the recipes, and where --pastiche names a Python that
has that package, by pastiche in 200 steps: their steps times what a step takes at each size, which it measures.
"""

from __future__ import annotations

import math
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import tensorflow as tf
from PIL import Image
from rich.console import Console
from rich.table import Table

from impasto.client import Client, Transfer
from impasto.client._models.transfer.plan import Level, TransferPlan, complete, painted_sides
from impasto.client._models.transfer.recipes import RECIPES
from impasto.export.backbones import VGG19, Provenance, Weights
from impasto.export.backbones.weights import random_arrays
from impasto.export.compute import Compute
from impasto.export.transfer.publish import publish
from impasto.serving import LocalServer
from oracles.transfer_oracle import Painting, StyleTransferrer, keras_vgg19

EAGER, GRAPH, SERVED, FINE, LOW, EMPTY = (
    "recipe, eager",
    "recipe, tf.function",
    "served",
    "served, fine",
    "served, bfloat16",
    "empty chunk",
)
GOALS = {EAGER: 0.55, GRAPH: 1.0, SERVED: 1.05}
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PHOTO, PAINTING = EXAMPLES / "photos" / "astronaut.png", EXAMPLES / "paintings" / "night.jpg"
FEW = (1, 2, 6)
"""Steps of the runs that tell what a step takes: the first builds what a server builds once for a size."""

CHUNK = 25
"""Steps a chunk, for the overhead of chunking."""


@click.command()
@click.option("--side", "sides", type=int, multiple=True, default=(256, 512), show_default=True)
@click.option("--repeats", type=click.IntRange(1), default=5, show_default=True)
@click.option("--steps", type=click.IntRange(1), default=2, show_default=True, help="Steps a measurement.")
@click.option("--pictures", is_flag=True, help="The seconds to a picture by each recipe.")
@click.option("--pastiche", help="A Python that has the package pastiche.")
def main(sides: tuple[int, ...], repeats: int, steps: int, *, pictures: bool, pastiche: str | None) -> None:
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
        if pictures:
            console.print(_pictures(clients[SERVED], pastiche))


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
    runs[FINE] = _chunk(clients[SERVED], content, style, steps, fine=True)
    return runs | {EMPTY: _chunk(clients[SERVED], content, style, 0)}


def _chunk(
    client: Client, content: Any, style: Any, steps: int, *, fine: bool = False
) -> Callable[[], object]:
    layers, settings = _fine(client) if fine else ({}, {})
    opened = client.predict("transfer", {"content": content, "style": style, **layers}, signature="open")
    nothing = np.zeros_like(opened["image"])
    inputs = {**opened, **layers, **settings, "m": nothing, "v": nothing, "steps": np.int32(steps)}
    return lambda: client.predict("transfer", inputs, signature="optimize")


def _fine(client: Client) -> tuple[dict[str, Any], dict[str, Any]]:
    """The recipe's layers and its other inputs."""
    recipe, names = RECIPES["fine"], client.describe_transfer().layers
    layers = {
        f"{kind}_layer_weights": np.array([(weights or {}).get(name, 0.0) for name in names], np.float32)
        for kind, weights in (("style", recipe.style_layers), ("content", recipe.content_layers))
    }
    settings = {name: np.float32(value) for name, value in {**recipe.weights, **recipe.inputs}.items()}
    return layers, settings | {"loss_kind": np.int32(recipe.inputs["loss_kind"])}


def _pictures(client: Client, pastiche: str | None) -> Table:
    """Tell the seconds to a picture by each recipe and by pastiche, from what a few steps take at each size."""
    table = Table("", "longest side", "steps", "seconds", title="a picture", title_justify="left")
    model, seconds = client.describe_transfer(), dict[int, float]()
    for name, recipe in RECIPES.items():
        job = Transfer(PHOTO, PAINTING, recipe=name)
        sides = painted_sides(job, (recipe.max_side, recipe.max_side))
        levels = tuple(Level((side, side), ()) for side in sides)
        steps = TransferPlan(choices=complete(job, model), levels=levels, model=model).steps
        for side in {*sides} - {*seconds}:
            seconds[side] = _a_step(partial(_painted, client, side))
        total = sum(count * seconds[side] for count, side in zip(steps, sides, strict=True))
        table.add_row(name, str(sides[-1]), str(sum(steps)), f"{total:.0f}")
    if pastiche is not None:
        side, count = 512, 200
        total = count * _a_step(partial(_by_pastiche, pastiche, side))
        table.add_row("pastiche", str(side), str(count), f"{total:.0f}")
    return table


def _a_step(paint: Callable[[int], object]) -> float:
    """The seconds of a step, from those of a run of few and of one of more."""
    taken = []
    for steps in FEW:
        start = time.perf_counter()
        paint(steps)
        taken.append(time.perf_counter() - start)
    return (taken[-1] - taken[-2]) / (FEW[-1] - FEW[-2])


def _painted(client: Client, side: int, steps: int) -> None:
    with Image.open(PHOTO) as image:
        photo = image.resize((side, side))
    client.transfer(photo, PAINTING, pyramid=1, max_side=side, epochs=1, steps_per_epoch=steps)


def _by_pastiche(python: str, side: int, steps: int) -> None:
    words = ["-m", "pastiche", "--no-verbose", "--content", str(PHOTO), "--styles", str(PAINTING)]
    words += ["--size", str(side), "--num-steps", str(steps)]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([python, *words, "--output", str(Path(folder, "p.png"))], check=True)


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
