"""What a GPU does with the exported models: a table of each model and size, in a session as a server runs it.

For each: the first call of the process and at that size, a call (median) and the time of its kernels, how many there
were and how often something was copied between host and card (one waits for the other each time), the operations that
took longest on either, whether the same call repeats bit for bit, whether two calls of half the steps equal one, and
the peak of the allocator. With --peer, the same steps in PyTorch; with --server, the same jobs through the local server
and the client; with --ready, the seconds until a server that has only this model listens, its warm-up done.

TF_DETERMINISTIC_OPS=1, NVIDIA_TF32_OVERRIDE=0 and TF_XLA_FLAGS are read from the environment: run it once with each.

    python export/benchmarks/gpu.py --size 512 --size 1024
    TF_DETERMINISTIC_OPS=1 python export/benchmarks/gpu.py --model dream
    python export/benchmarks/gpu.py --processor --size 64     # to try the script where there is no GPU
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import click
import numpy as np
import tensorflow as tf
from gpu_peers import Peer, torch_peer
from numpy.typing import NDArray
from PIL import Image

from impasto.client import Client, Dream, Stylize, Transfer, Upscale
from impasto.client.signatures import DREAM, SERVING_DEFAULT, STYLIZE, TRANSFER
from impasto.export.repository import ModelRepository
from impasto.export.saved_model import ServedModel, load_as_server
from impasto.serving import LocalServer, ServerOptions

_EXAMPLES: Final = Path(__file__).parents[2] / "examples"
_STEPS: Final = 10
_WIDTH: Final = 20
"""Columns for a model's name."""

_SETTINGS: Final = ("TF_DETERMINISTIC_OPS", "NVIDIA_TF32_OVERRIDE", "TF_XLA_FLAGS")
_MOST_OPS: Final = 6
_ONE_AFTER_THE_OTHER: Final = "stream:all"
"""The part of a traced device's name that stands for all of its streams: each kernel once."""

_LISTENS: Final = "Listening on "
"""The beginning of what a local server says once it is ready."""

_COPYING: Final = ("<MemcpyH2D>", "<MemcpyD2H>")
"""The ends of the names of its streams that copy to the card and back."""

Inputs = Mapping[str, Any]


@dataclass(frozen=True)
class Trace:
    """What a call was made of; times in milliseconds.

    Attributes:
        kernels: the time of all kernels on the card.
        launches: their number.
        copies: how often something was copied to the card or back.
        card: the operations whose kernels took longest.
        host: those that took longest on the host.
    """

    kernels: float
    launches: int
    copies: int
    card: dict[str, float]
    host: dict[str, float]


@dataclass
class Row:
    """What was measured of one model at one size; times in milliseconds."""

    model: str
    size: int
    first: float = 0.0
    wall: float = 0.0
    trace: Trace | None = None
    repeats: bool | None = None
    chunks: bool | None = None
    peak: int | None = None
    peers: dict[str, float] = field(default_factory=dict)
    served: float | None = None
    ready: float | None = None
    failed: str = ""


@dataclass(frozen=True)
class Case:
    """A call of a model.

    Attributes:
        signature: its name.
        inputs: of the call.
        count: the input that says how many steps were done before; empty where there are no steps.
    """

    signature: str
    inputs: Inputs
    count: str = ""

    def halves(self, served: ServedModel) -> Mapping[str, NDArray[Any]]:
        """Do half of the steps, and the rest with what that gave; return what the second call gave."""
        half = {**self.inputs, "steps": np.int32(_STEPS // 2)}
        between = served.run(self.signature, half)
        kept = {name: value for name, value in between.items() if name in half and name != "steps"}
        return served.run(self.signature, {**half, **kept, self.count: np.int32(_STEPS // 2)})


def photo(side: int, name: str = "photos/astronaut.png") -> NDArray[np.uint8]:
    """An example picture, scaled to a square."""
    with Image.open(_EXAMPLES / name) as image:
        return np.asarray(image.convert("RGB").resize((side, side), Image.Resampling.LANCZOS))


def painting(side: int) -> NDArray[np.uint8]:
    """An example painting, which is no larger than it need be."""
    return photo(min(side, 256), "paintings/night.jpg")


def case_of(model: str, served: ServedModel, side: int) -> Case:
    """The call that is measured of a model."""
    picture = photo(side)
    if model == DREAM.name:
        state = (picture / np.float32(127.5) - 1).astype(np.float32)
        return Case("ascend", {"state": state, "steps": np.int32(_STEPS)}, "first_step")
    if model == TRANSFER.name:
        opened = served.run("open", {"content": picture, "style": painting(side)})
        zeros = np.zeros_like(opened["image"])
        return Case("optimize", {**opened, "m": zeros, "v": zeros, "steps": np.int32(_STEPS)}, "iteration")
    if model == STYLIZE.name:
        return Case(SERVING_DEFAULT, {"content": picture[None], "style": painting(side)[None]})
    return Case(SERVING_DEFAULT, {"image": picture[None]})


def job_of(model: str, side: int) -> Any:
    """The same for the client."""
    picture = photo(side)
    if model == DREAM.name:
        return Dream(picture, octaves=(0,), steps=_STEPS)
    if model == TRANSFER.name:
        return Transfer(picture, painting(side), max_side=side, epochs=1, steps_per_epoch=_STEPS)
    if model == STYLIZE.name:
        return Stylize(picture, painting(side))
    return Upscale(picture, model=model)


def measure(model: str, served: ServedModel, side: int, runs: int) -> Row:
    """Measure a model at a size. What fails is said in the row."""
    row = Row(model, side)
    if gpus():
        tf.config.experimental.reset_memory_stats("GPU:0")
    try:
        case = case_of(model, served, side)
        started = time.perf_counter()
        first = served.run(case.signature, case.inputs)
        row.first = 1000 * (time.perf_counter() - started)
        walls = []
        for _ in range(runs):
            started = time.perf_counter()
            again = served.run(case.signature, case.inputs)
            walls.append(1000 * (time.perf_counter() - started))
        row.wall = statistics.median(walls)
        row.repeats = all(np.array_equal(first[name], again[name]) for name in first)
        if case.count:
            halves = case.halves(served)
            same = [name for name in ("state", "image", "m", "v") if name in first]
            row.chunks = all(np.array_equal(first[name], halves[name]) for name in same)
        if gpus():
            row.peak = tf.config.experimental.get_memory_info("GPU:0")["peak"]
            row.trace = traced(served, case)
    except (tf.errors.OpError, ValueError) as error:
        row.failed = " ".join(str(error).partition("Graph execution error:")[2].split() or [str(error)])[:200]
    return row


def traced(served: ServedModel, case: Case) -> Trace:
    """What a call is made of, as TensorFlow's own tracer saw it."""
    definition = served.signatures[case.signature]
    values = {name: tf.make_ndarray(value) for name, value in definition.defaults.items()} | dict(case.inputs)
    feeds = {definition.inputs[name].name: value for name, value in values.items()}
    fetches = [info.name for info in definition.outputs.values()]
    metadata = tf.compat.v1.RunMetadata()
    options = tf.compat.v1.RunOptions(trace_level=tf.compat.v1.RunOptions.FULL_TRACE)
    served.session.run(fetches, feeds, options=options, run_metadata=metadata)
    card, host = Counter[str](), Counter[str]()
    launches = copies = 0
    for device in metadata.step_stats.dev_stats:
        for node in device.node_stats:
            took = node.op_end_rel_micros / 1000
            if device.device.endswith(_COPYING):
                copies += 1
            elif _ONE_AFTER_THE_OTHER in device.device:
                launches += 1
                card[node.node_name.rpartition(":")[2]] += took
            elif "CPU" in device.device:
                host[node.timeline_label.split("= ")[-1].split("(")[0]] += took
    longest = (dict(each.most_common(_MOST_OPS)) for each in (card, host))
    return Trace(sum(card.values()), launches, copies, *longest)


def gpus() -> list[Any]:
    """The GPUs that TensorFlow sees."""
    return list(tf.config.list_physical_devices("GPU"))


def measured(
    models: Path, names: tuple[str, ...], sizes: tuple[int, ...], runs: int, peer: Peer | None
) -> Iterator[Row]:
    """Measure the newest version of each model."""
    repository = ModelRepository(models)
    for name in names or tuple(repository.models()):
        with load_as_server(repository.latest(name).path) as served:
            for side in sizes:
                row = measure(name, served, side, runs)
                if peer is not None and name in (DREAM.name, TRANSFER.name):
                    row.peers = peer(name, side, _STEPS, runs)
                yield row


def through_a_server(models: Path, rows: Iterable[Row], runs: int) -> None:
    """Add to each row what the same job takes through the client and a local server in this process."""
    # The first run of each job, which is not counted, builds what it needs.
    options = ServerOptions(enable_model_warmup=False)
    with LocalServer(models, options=options) as server, Client(server.address) as client:
        for row in rows:
            if row.failed:
                continue
            walls: list[float] = []
            for _ in range(runs + 1):
                started = time.perf_counter()
                client.run(job_of(row.model, row.size))
                walls.append(1000 * (time.perf_counter() - started))
            row.served = statistics.median(walls[1:])  # the first one meets a new size


def ready(models: Path, model: str) -> float:
    """The milliseconds in which a local server of the model alone comes up in a process of its own.

    Raises:
        click.ClickException: it did not.
    """
    own = ["--model_name", model, "--model_base_path", str((models / model).resolve()), "--port", "0"]
    command = [sys.executable, "-m", "impasto.serving", "local", *own]
    # This process has a part of the card, too.
    environment = os.environ | {"TF_FORCE_GPU_ALLOW_GROWTH": "true"}
    started = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as server:
        assert server.stdout is not None
        for line in server.stdout:
            if line.startswith(_LISTENS):
                took = time.perf_counter() - started
                server.terminate()
                return 1000 * took
    raise click.ClickException(f"a server of {model} ended before it listened: {' '.join(command)} says why")


def show(rows: Iterable[Row]) -> None:
    """Print the table."""
    header = (
        "model",
        "side",
        "first",
        "wall",
        "kernels",
        "wall/kernels",
        "served",
        "ready",
        "repeats",
        "chunks",
        "peak MB",
    )
    click.echo("  ".join(f"{name:>{_WIDTH if name == 'model' else 12}}" for name in header))
    for row in rows:
        if row.failed:
            click.echo(f"{row.model:>{_WIDTH}}  {row.size:>12}  {row.failed}")
            continue
        trace = row.trace
        ratio = row.wall / trace.kernels if trace and trace.kernels else None
        cells: tuple[Any, ...] = (row.size, _ms(row.first), _ms(row.wall), _ms(trace and trace.kernels))
        cells += (_told(ratio, ".2f"), _ms(row.served), _ms(row.ready), _yes(row.repeats), _yes(row.chunks))
        peak = None if row.peak is None else row.peak / 1e6
        told = "  ".join(f"{cell!s:>12}" for cell in (*cells, _told(peak, ".0f")))
        click.echo(f"{row.model:>{_WIDTH}}  {told}")
        if trace:
            click.echo(f"{'':14}{trace.launches} kernels, {trace.copies} copies between host and card")
            for where, ops in (("card", trace.card), ("host", trace.host)):
                click.echo(
                    f"{'':14}on the {where}: " + ", ".join(f"{op} {ms:.1f} ms" for op, ms in ops.items())
                )
        if row.peers:
            times = (f"{name} {ms:.1f} ms ({row.wall / ms:.2f} of it)" for name, ms in row.peers.items())
            click.echo(f"{'':14}peers: " + ", ".join(times))


def _ms(value: float | None) -> str:
    return _told(value, ".1f")


def _told(value: float | None, how: str) -> str:
    return "-" if value is None else format(value, how)


def _yes(value: bool | None) -> str:
    return "-" if value is None else "yes" if value else "no"


@click.command()
@click.option(
    "--models", type=click.Path(exists=True, file_okay=False, path_type=Path), default=Path("models")
)
@click.option(
    "--model", "names", multiple=True, help="Measure this one; may be given several times.  [default: all]"
)
@click.option(
    "--size",
    "sizes",
    multiple=True,
    type=click.IntRange(min=32),
    help="Sides in pixels.  [default: 256, 512, 1024]",
)
@click.option("--runs", type=click.IntRange(min=1), default=5, show_default=True)
@click.option(
    "--server", is_flag=True, help="Measure the same jobs through a local server and the client, too."
)
@click.option(
    "--ready",
    "until_ready",
    is_flag=True,
    help="Measure how long a server of each model alone takes to be ready.",
)
@click.option(
    "--peer",
    is_flag=True,
    help="Measure the same steps in PyTorch, eager and compiled, where it is installed.",
)
@click.option("--processor", is_flag=True, help="Measure the processor where there is no GPU.")
@click.option("--json", "as_json", is_flag=True)
def main(
    models: Path,
    names: tuple[str, ...],
    sizes: tuple[int, ...],
    runs: int,
    server: bool,
    until_ready: bool,
    peer: bool,
    processor: bool,
    as_json: bool,
) -> None:
    """Measure the exported models on the GPU that TensorFlow sees."""
    if not gpus() and not processor:
        click.echo("skipped: TensorFlow sees no GPU here (--processor measures the processor instead)")
        return
    for gpu in gpus():
        tf.config.experimental.set_memory_growth(gpu, True)
    device = (
        tf.config.experimental.get_device_details(gpus()[0]).get("device_name", "GPU")
        if gpus()
        else "processor"
    )
    settings = [f"{name}={os.environ[name]}" for name in _SETTINGS if name in os.environ]
    rows = list(measured(models, names, sizes or (256, 512, 1024), runs, torch_peer() if peer else None))
    if server:
        through_a_server(models, rows, runs)
    if until_ready:
        for name in {row.model for row in rows}:
            took = ready(models, name)
            for row in rows:
                if row.model == name:
                    row.ready = took
    if as_json:
        told = {"device": device, "tensorflow": tf.__version__, "settings": settings}
        click.echo(json.dumps({**told, "rows": [asdict(row) for row in rows]}, indent=2))
        return
    click.echo(", ".join((device, f"TensorFlow {tf.__version__}", *settings)))
    click.echo(f"milliseconds; dream and transfer do {_STEPS} steps; first: the first call at that size")
    show(rows)


if __name__ == "__main__":
    main()
