"""What hedging does to the latency of calls to two replicas, on a quiet machine and where one replica stalls at times.

Two `impasto-serving local` processes serve the committed upscaler. Calls are sent at a fixed rate, whether or not
earlier ones are answered, or one after another; with and without hedging in turns. A stall is a SIGSTOP that ends with
SIGCONT: a replica that loads another model, swaps, or shares its machine. Linux and macOS only.
"""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from impasto.client import Client

PICTURE: NDArray[np.uint8] = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), dtype=np.uint8)
OFF = float("inf")
_BETWEEN = 0.02  # seconds of a client's own work from one call to the next
QUIET, STALLS = "both replicas well", "one stalls at times"


@dataclass(frozen=True)
class Load:
    """What is sent, and how the replicas are disturbed.

    Attributes:
        rate: calls a second, sent whether or not earlier ones are answered; 0 for one after another, as a job does.
        seconds: of each turn.
        stall: seconds of a stall.
        every: seconds from one stall to the next; the replicas take turns.
    """

    rate: float
    seconds: float
    stall: float
    every: float


@dataclass
class Latencies:
    """Of all calls of one kind, in seconds."""

    seconds: list[float] = field(default_factory=list)

    def row(self, hedge: float) -> list[str]:
        """Percentiles in milliseconds, and the share of calls that were sent again."""
        all_calls = np.array(self.seconds)
        percentiles = [f"{1000 * np.percentile(all_calls, q):.0f}" for q in (50, 90, 95, 99, 100)]
        return [str(len(all_calls)), *percentiles, f"{100 * np.mean(all_calls > hedge):.1f} %"]


@contextmanager
def replica(models: Path) -> Iterator[tuple[str, int]]:
    """A local server: its address and process id."""
    local = [sys.executable, "-m", "impasto.serving", "local", "--models", str(models), "--only", "srcnn"]
    # A stalled replica collects calls: one that refuses those beyond its threads would hide what a stall costs.
    with subprocess.Popen(
        [*local, "--port", "0", "--grpc_max_threads", "64"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if found := re.match(r"Listening on (\S+)", line):
                    yield found[1], process.pid
                    return
            raise click.ClickException("a server did not start")
        finally:
            os.kill(process.pid, signal.SIGCONT)
            process.terminate()


@contextmanager
def stalling(processes: Sequence[int], load: Load) -> Iterator[None]:
    """The processes, each stalled in its turn while the block runs."""
    end = threading.Event()

    def disturb() -> None:
        for process in itertools.cycle(processes):
            if end.wait(load.every - load.stall):
                return
            os.kill(process, signal.SIGSTOP)
            end.wait(load.stall)
            os.kill(process, signal.SIGCONT)

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def send(client: Client, load: Load) -> list[float]:
    """The latencies, in seconds, of calls at the load's rate."""

    def call(due: float) -> float:
        client.predict("srcnn", {"image": PICTURE})
        return time.monotonic() - due

    started = time.monotonic()
    if not load.rate:
        latencies = []
        while time.monotonic() < started + load.seconds:
            latencies.append(call(time.monotonic()))
            time.sleep(_BETWEEN)
        return latencies
    with ThreadPoolExecutor(64) as pool:
        sent = []
        for number in range(round(load.rate * load.seconds)):
            due = started + number / load.rate
            time.sleep(max(0.0, due - time.monotonic()))
            sent.append(pool.submit(call, due))
        return [each.result() for each in sent]


@click.command()
@click.option("--models", type=click.Path(path_type=Path), default=Path("models"), show_default=True)
@click.option("--hedge", default=0.1, show_default=True, help="Seconds until a call is sent again.")
@click.option("--rounds", default=3, show_default=True, help="Turns of each kind.")
@click.option("--rate", default=25.0, show_default=True, help="Calls a second; 0: one after another.")
@click.option("--seconds", default=12.0, show_default=True, help="Of each turn.")
@click.option("--stall", default=0.5, show_default=True, help="Seconds of a stall.")
@click.option("--every", default=4.0, show_default=True, help="Seconds from one stall to the next.")
def main(
    models: Path, hedge: float, rounds: int, rate: float, seconds: float, stall: float, every: float
) -> None:
    """Measure and print a table."""
    load = Load(rate, seconds, stall, every)
    found = {key: Latencies() for key in itertools.product((QUIET, STALLS), (OFF, hedge))}
    with ExitStack() as stack:
        replicas = [stack.enter_context(replica(models)) for _ in range(2)]
        address = ",".join(one for one, _ in replicas)
        clients = {value: stack.enter_context(Client(address, hedge=value)) for value in (OFF, hedge)}
        for client in clients.values():
            send(client, Load(rate, 2.0, 0, 0))  # connections, and the model's first calls
        for _, (case, value) in itertools.product(range(rounds), found):
            with ExitStack() as turn:
                if case == STALLS:
                    turn.enter_context(stalling([process for _, process in replicas], load))
                found[case, value].seconds += send(clients[value], load)
    table = Table(
        "replicas", "hedge", "calls", "p50 ms", "p90 ms", "p95 ms", "p99 ms", "longest ms", "sent again"
    )
    for (case, value), latencies in found.items():
        table.add_row(case, f"{value:g}", *latencies.row(value))
    Console().print(table)


if __name__ == "__main__":
    main()
