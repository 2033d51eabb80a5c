"""Measure what a chunk of a dream costs besides its steps: `ascend` without steps, by client and local server.

The state, 50 MB at 2048 px, goes there and back. Beside it stands the same message through gRPC alone, sent to a server
that answers with the request's own bytes: what no client and no server in Python is without. Both take turns, so that a
busy machine slows both alike. Memory is the highest resident memory during a call beyond what the process had before
the first one, in states: it counts what the caller holds (the state), what is copied, and what gRPC takes. The copies
are those of Python's own memory, counted one after the other. Linux only.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from concurrent import futures
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click
import grpc
import numpy as np
from numpy.typing import NDArray
from watched_servers import memory, reset_peak, started

from impasto.client import Client

State = NDArray[np.float32]

_UNLIMITED: Final = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
_ECHO: Final = "/echo/Echo"


def cpu_seconds(pid: int) -> float:
    """The time that a process has used of processors."""
    parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


@dataclass
class Measured:
    """A way to send a state, with its figures.

    Attributes:
        label: for people.
        send: sends a state and returns the one that comes back.
        server: the server's process.
        before: resident memory of the server before the first call.
        figures: by name, one a call.
    """

    label: str
    send: Callable[[State], State]
    server: int
    before: float
    figures: dict[str, list[float]] = field(default_factory=dict)

    def call(self, state: State, client_before: float) -> None:
        """Send a state and take the figures down."""
        here = os.getpid()
        reset_peak(here)
        reset_peak(self.server)
        cpu, server_cpu = cpu_seconds(here), cpu_seconds(self.server)
        started = time.perf_counter()
        answer = self.send(state)
        elapsed = time.perf_counter() - started
        if not np.array_equal(answer, state):
            raise click.ClickException(f"{self.label}: another state came back")
        for name, figure in (
            ("wall ms", elapsed * 1000),
            ("client CPU ms", (cpu_seconds(here) - cpu) * 1000),
            ("server CPU ms", (cpu_seconds(self.server) - server_cpu) * 1000),
            ("client peak, states", (memory(here, "VmHWM") - client_before) / state.nbytes),
            ("server peak, states", (memory(self.server, "VmHWM") - self.before) / state.nbytes),
        ):
            self.figures.setdefault(name, []).append(figure)


def serve_echo() -> None:
    """Answer each request with its own bytes, until standard input ends."""
    server = grpc.server(futures.ThreadPoolExecutor(4), options=_UNLIMITED)
    handler = grpc.unary_unary_rpc_method_handler(lambda request, _: request)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("echo", {"Echo": handler})])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    click.echo(f"Listening on 127.0.0.1:{port}")
    sys.stdin.read()


def toy(folder: Path) -> Path:
    """A repository with a dream whose network is tiny: without steps it does not run."""
    from impasto.export.dream.limits import DreamLimits
    from toys.dream_models import MINIMUM_SIDE, write_dream

    write_dream(folder, limits=DreamLimits(minimum_side=MINIMUM_SIDE))
    return folder


def peak_copies(state: State, act: Callable[[], Any]) -> float:
    """Return the most of Python's memory that an action takes, in states."""
    tracemalloc.start()
    try:
        kept = act()
        _, peak = tracemalloc.get_traced_memory()
        del kept
    finally:
        tracemalloc.stop()
    return peak / state.nbytes


def show_copies(state: State) -> None:
    """A line for each message that is read or written, without gRPC."""
    from impasto.client._transport.calls import predict_call
    from impasto.client._wire import messages
    from impasto.client.model import Model
    from impasto.serving.local import requests, tensors
    from impasto.serving.wire import delimited, nested

    def response() -> bytes:
        tensor = nested(2, tensors.to_wire(state, as_content=False))
        return b"".join(nested(1, [delimited(1, b"state"), *tensor]))

    def read() -> Any:
        request = requests.parse(sent)
        return tensors.from_proto(request.message.inputs["state"], elements=request.elements["state"])

    sent, answer = predict_call(Model("dream"), {"state": state}).request, response()
    for label, act in (
        ("the client writes a request", lambda: predict_call(Model("dream"), {"state": state})),
        ("the server reads it", read),
        ("the server writes its response", response),
        ("the client reads it", lambda: messages.prediction(answer)),
    ):
        click.echo(f"{label:<31} {peak_copies(state, act):5.2f} copies of the state")


def measure(models: Path, side: int, rounds: int) -> None:
    """A row for each figure: the median over the rounds, and the least."""
    state = np.random.default_rng(0).uniform(-1, 1, (side, side, 3)).astype(np.float32)
    with ExitStack() as stack:
        address, server = stack.enter_context(
            started(
                "-m", "impasto.serving", "local", "--models", str(models), "--only", "dream", "--port", "0"
            )
        )
        echo_address, echo_server = stack.enter_context(started(__file__, "--echo"))
        client = stack.enter_context(Client(address, timeout=600))
        channel = stack.enter_context(grpc.insecure_channel(echo_address, options=_UNLIMITED))
        echo = channel.unary_unary(_ECHO)

        def ascend(state: State) -> State:
            inputs = {"state": state, "steps": np.int32(0)}
            return client.predict("dream", inputs, signature="ascend", outputs=["state", "loss"])["state"]

        def through_grpc(state: State) -> State:
            return np.frombuffer(echo(state.tobytes()), np.float32).reshape(state.shape)

        ascend(state[:64, :64])
        through_grpc(state[:64, :64])
        before = memory(os.getpid(), "VmRSS") - state.nbytes
        cases = [
            Measured("ascend, no steps", ascend, server, memory(server, "VmRSS")),
            Measured("gRPC alone", through_grpc, echo_server, memory(echo_server, "VmRSS")),
        ]
        for case in cases * (rounds + 1):
            case.call(state, before)
    click.echo(f"{'':<22}" + "".join(f"{case.label:>18}   (least)" for case in cases))
    for name in cases[0].figures:
        row = [
            case.figures[name][1:] for case in cases
        ]  # the first call at a size is for TensorFlow to get ready
        click.echo(
            f"{name:<22}" + "".join(f"{statistics.median(found):18.1f} {min(found):9.1f}" for found in row)
        )
    show_copies(state)


@click.command()
@click.option(
    "--models", type=click.Path(path_type=Path), help="A repository with a dream. Default: a tiny one."
)
@click.option("--side", type=click.IntRange(64, 5792), default=2048, show_default=True, help="In pixels.")
@click.option("--rounds", type=click.IntRange(1), default=7, show_default=True)
@click.option("--echo", is_flag=True, hidden=True)
def main(models: Path | None, side: int, rounds: int, echo: bool) -> None:
    """Print what it costs to send a dream's state to the local server and back."""
    if echo:
        serve_echo()
        return
    with tempfile.TemporaryDirectory() as folder:
        measure(toy(Path(folder)) if models is None else models, side, rounds)


if __name__ == "__main__":
    main()
