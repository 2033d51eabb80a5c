"""What a served dream step costs, beside the usual recipe's own loop and beside the bare arithmetic of the network.

- recipe: Keras' whole network down to the layers, and the loop around it, in one tf.function, as the recipe is usually
  written;
- bare: forward and backward through the network cut at the deepest layer asked for, and nothing else;
- float32, bfloat16-backward, bfloat16: the signature `ascend` of a model exported with that `--compute`, in a session
  as TensorFlow Serving runs it.

They run in turns in one process, so that a busy machine slows all of them alike; and in several processes, as
TensorFlow computes the recipe's gradient of a pooling with oneDNN in some of them and with its own, slower kernel for
as long as the others live.

    python export/benchmarks/dream.py --backbone inception_v3 --size 300x400
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import click

from impasto.export.compute import Compute

_STEPS: Final = 4
_RECIPE: Final = "recipe"
_BARE: Final = "bare"
_NAMES: Final = 28
"""Columns for the names."""

_CLOCKS: Final[Mapping[str, Callable[[], float]]] = {"wall": time.perf_counter, "CPU": time.process_time}


@dataclass(frozen=True)
class Case:
    """What is measured.

    Attributes:
        backbone: the network.
        names: the layers that are raised.
        size: height and width of the picture.
        rounds: how often each takes its turn, in each process.
        fold: whether the network is folded.
        tile: of the served dream; 0 is none.
        computes: what each of the served networks computes in; the bare one is float32.
    """

    backbone: str
    names: tuple[str, ...]
    size: tuple[int, int]
    rounds: int
    fold: bool
    tile: int
    computes: tuple[str, ...]


@click.command()
@click.option(
    "--backbone", type=click.Choice(["inception_v3", "vgg19"]), default="inception_v3", show_default=True
)
@click.option("--layers", help="Comma-separated. Default: what suits the backbone.")
@click.option("--size", default="300x400", show_default=True, help="Height x width.")
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@click.option("--processes", type=click.IntRange(1), default=7, show_default=True)
@click.option("--fold/--no-fold", default=True, show_default=True)
@click.option("--tile", type=int, default=0, show_default=True, help="Of the served dream; 0 is none.")
@click.option(
    "--compute",
    "computes",
    type=click.Choice([compute.value for compute in Compute]),
    multiple=True,
    default=[compute.value for compute in Compute],
    show_default=True,
    help="May be given several times.",
)
@click.option("--measure", "directory", type=click.Path(path_type=Path), hidden=True)
def main(
    backbone: str,
    layers: str | None,
    size: str,
    rounds: int,
    processes: int,
    fold: bool,
    tile: int,
    computes: tuple[str, ...],
    directory: Path | None,
) -> None:
    """Print milliseconds a step and their ratios, of time passed and of time that the processors worked: the means over
    all processes, and their range."""
    from impasto.export.dream.limits import SUGGESTIONS

    names = layers.split(",") if layers else list(SUGGESTIONS[backbone].layers)
    height, width = map(int, size.split("x"))
    case = Case(backbone, tuple(names), (height, width), rounds, fold, tile, computes)
    if directory is not None:
        click.echo(json.dumps(_measured(case, directory)))
        return
    with tempfile.TemporaryDirectory() as folder:
        for compute in computes:
            _save(case, compute, Path(folder, compute))
        command = [sys.executable, *sys.argv, "--measure", folder]
        found = [
            json.loads(subprocess.check_output(command, stderr=subprocess.DEVNULL)) for _ in range(processes)
        ]
    click.echo(
        f"{backbone} {size}, {'+'.join(names)}, ms a step: means of {processes} processes' medians of "
        f"{rounds} x {_STEPS}, and the least and the most of them"
    )
    click.echo(f"  {'':<{_NAMES}}{'wall':>24}{'CPU':>24}")
    for name in (_RECIPE, _BARE, *computes):
        _row(name, [[process[clock][name] for process in found] for clock in _CLOCKS], digits=1)
    for compute in computes:
        for name in (_RECIPE, _BARE):
            ratios = [
                [process[clock][compute] / process[clock][name] for process in found] for clock in _CLOCKS
            ]
            _row(f"{compute} / {name}", ratios, digits=2)


def _row(name: str, columns: list[list[float]], *, digits: int) -> None:
    cells = (
        f"{statistics.fmean(column):8.{digits}f} ({min(column):.{digits}f} to {max(column):.{digits}f})"
        for column in columns
    )
    click.echo(f"  {name:<{_NAMES}}" + "".join(f"{cell:>24}" for cell in cells))


def _save(case: Case, compute: str, directory: Path) -> None:
    from impasto.client.signatures import DREAM
    from impasto.export.backbones import BACKBONES, Backbone, load_weights
    from impasto.export.dream.limits import SUGGESTIONS
    from impasto.export.dream.served import DeepDream
    from impasto.export.saved_model import save

    architecture = BACKBONES[case.backbone]
    weights = load_weights(architecture, "random")
    network = Backbone(architecture, weights.arrays, fold=case.fold, compute=Compute(compute))
    dream = DeepDream(network, SUGGESTIONS[case.backbone], weights=str(weights.provenance))
    save(dream, directory, dream.functions, contract=DREAM)


def _measured(case: Case, directory: Path) -> dict[str, dict[str, float]]:
    """Milliseconds a step, medians, by clock and name."""
    import numpy as np
    import tensorflow as tf

    from impasto.export.backbones import BACKBONES, Backbone, load_weights
    from impasto.export.saved_model import load_as_server

    architecture = BACKBONES[case.backbone]
    arrays = load_weights(architecture, "random").arrays
    network = Backbone(architecture, arrays, fold=case.fold)
    state = np.random.default_rng(0).uniform(-1.0, 1.0, (*case.size, 3)).astype(np.float32)
    chosen = np.array([float(layer in case.names) for layer in architecture.layers], np.float32)
    with ExitStack() as stack:
        served = {
            compute: stack.enter_context(load_as_server(directory / compute)) for compute in case.computes
        }
        request = {"state": state, "steps": _STEPS, "layer_weights": chosen, "tile": case.tile}
        runs: dict[str, Callable[[], Any]] = {
            _RECIPE: _recipe(case.backbone, list(case.names), tf.constant(state)),
            _BARE: _bare(network, list(case.names), tf.constant(state)),
        }
        for compute, model in served.items():
            runs[compute] = partial(model.run, "ascend", request)
        for run in runs.values():
            run()
        times: dict[str, dict[str, list[float]]] = {clock: {name: [] for name in runs} for clock in _CLOCKS}
        for _ in range(case.rounds):
            for name, run in runs.items():
                before = {clock: now() for clock, now in _CLOCKS.items()}
                run()
                for clock, now in _CLOCKS.items():
                    times[clock][name].append((now() - before[clock]) * 1000.0 / _STEPS)
    return {
        clock: {name: statistics.median(each) for name, each in named.items()}
        for clock, named in times.items()
    }


def _recipe(backbone: str, names: list[str], state: Any) -> Callable[[], Any]:
    import tensorflow as tf

    applications = tf.keras.applications
    application = {"inception_v3": applications.InceptionV3, "vgg19": applications.VGG19}[backbone]
    base = application(include_top=False, weights=None)
    model = tf.keras.Model(base.input, [base.get_layer(name).output for name in names])

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, 3], tf.float32),
            tf.TensorSpec([], tf.int32),
            tf.TensorSpec([], tf.float32),
        ]
    )
    def loop(x: Any, steps: Any, step_size: Any) -> Any:
        loss = tf.constant(0.0)
        for _ in tf.range(steps):
            with tf.GradientTape() as tape:
                tape.watch(x)
                activations = model(tf.expand_dims(x, axis=0))
                if len(names) == 1:
                    activations = [activations]
                loss = tf.add_n([tf.reduce_mean(activation) for activation in activations])
            gradient = tape.gradient(loss, x)
            gradient /= tf.math.reduce_std(gradient) + 1e-8
            x = tf.clip_by_value(x + gradient * step_size, -1, 1)
        return loss, x

    return lambda: loop(state, tf.constant(_STEPS), tf.constant(0.01))[1].numpy()


def _bare(network: Any, names: list[str], state: Any) -> Callable[[], Any]:
    import tensorflow as tf

    architecture = network.architecture
    wanted = [architecture.layers.index(name) for name in names]

    @tf.function
    def forward_and_backward(x: Any) -> Any:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            activations = network.activations(architecture.from_signed(x[None]), max(wanted) + 1)
            loss = tf.add_n([tf.reduce_mean(activations[index]) for index in wanted])
        return tape.gradient(loss, x)

    def run() -> None:
        for _ in range(_STEPS):
            forward_and_backward(state).numpy()

    return run


if __name__ == "__main__":
    main()
