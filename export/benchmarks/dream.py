"""What a served dream step costs, beside the usual recipe's own loop and beside the bare arithmetic of the network.

All run in this process, one after the other in turns, so that a busy machine slows all of them alike:

- recipe: Keras' whole network in one tf.function, an eager step around it, as the recipe is usually written;
- bare: forward and backward through the network cut at the deepest layer asked for, and nothing else;
- served: the exported model's signature `ascend`, in a session as TensorFlow Serving runs it.

    python export/benchmarks/dream.py --backbone inception_v3 --size 300x400
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

_STEPS = 4


@click.command()
@click.option(
    "--backbone", type=click.Choice(["inception_v3", "vgg19"]), default="inception_v3", show_default=True
)
@click.option("--layers", help="Comma-separated. Default: what suits the backbone.")
@click.option("--size", default="300x400", show_default=True, help="Height x width.")
@click.option("--rounds", type=click.IntRange(1), default=7, show_default=True)
@click.option("--fold/--no-fold", default=True, show_default=True)
@click.option("--tile", type=int, default=0, show_default=True, help="Of the served dream; 0 is none.")
def main(backbone: str, layers: str | None, size: str, rounds: int, fold: bool, tile: int) -> None:
    """Print milliseconds a step (medians) and their ratios, of time passed and of time that the processors worked.

    The second hardly depends on what else the machine does.
    """
    import numpy as np
    import tensorflow as tf

    from impasto.client.signatures import DREAM
    from impasto.export.backbones import BACKBONES, Backbone, load_weights
    from impasto.export.dream.served import DeepDream
    from impasto.export.dream.settings import SETTINGS
    from impasto.export.saved_model import load_as_server, save

    architecture = BACKBONES[backbone]
    weights = load_weights(architecture, "random")
    names = layers.split(",") if layers else list(SETTINGS[backbone].layers)
    height, width = map(int, size.split("x"))
    rng = np.random.default_rng(0)
    state = rng.uniform(-1.0, 1.0, (height, width, 3)).astype(np.float32)
    chosen = np.array([float(layer in names) for layer in architecture.layers], np.float32)
    network = Backbone(architecture, weights.arrays, fold=fold)

    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder, "dream")
        dream = DeepDream(network, SETTINGS[backbone], weights=str(weights.provenance))
        save(dream, directory, dream.functions, contract=DREAM)
        with load_as_server(directory) as served:
            request = {"state": state, "steps": _STEPS, "layer_weights": chosen, "tile": tile}
            runs: dict[str, Callable[[], Any]] = {
                "recipe": _recipe(backbone, names, tf.constant(state)),
                "bare": _bare(Backbone(architecture, weights.arrays, fold=fold), names, tf.constant(state)),
                "served": lambda: served.run("ascend", request),
            }
            for run in runs.values():
                run()
            wall: dict[str, list[float]] = {name: [] for name in runs}
            cpu: dict[str, list[float]] = {name: [] for name in runs}
            for _ in range(rounds):
                for name, run in runs.items():
                    start, busy = time.perf_counter(), time.process_time()
                    run()
                    wall[name].append((time.perf_counter() - start) * 1000.0 / _STEPS)
                    cpu[name].append((time.process_time() - busy) * 1000.0 / _STEPS)

    click.echo(f"{backbone} {height}x{width}, {'+'.join(names)}, ms a step, median of {rounds} x {_STEPS}:")
    click.echo(f"  {'':<16}{'wall':>8}{'CPU':>8}")
    for name in runs:
        click.echo(f"  {name:<16}{statistics.median(wall[name]):8.1f}{statistics.median(cpu[name]):8.1f}")
    for name in ("recipe", "bare"):
        ratios = [
            statistics.median(
                ours / theirs for ours, theirs in zip(times["served"], times[name], strict=True)
            )
            for times in (wall, cpu)
        ]
        click.echo(f"  served / {name:<7}{ratios[0]:8.2f}{ratios[1]:8.2f}")


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
