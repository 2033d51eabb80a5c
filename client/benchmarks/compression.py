"""What gzip saves and costs on pictures: requests over the loopback with and without it, in turns.

A server in this process answers at once, so that what differs is the compressing and the reading. From what is saved
and what it costs follows the speed of the link below which it pays.
"""

from __future__ import annotations

import gzip
import statistics
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import grpc
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.table import Table

from impasto.client import Client
from impasto.client.errors import DecodeError


class Silent(grpc.GenericRpcHandler):
    """Answers every call with nothing, which the client cannot read: it has sent its request by then."""

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        """The handler of any method."""
        return grpc.unary_unary_rpc_method_handler(lambda request, context: b"\xff")


@contextmanager
def silent_server() -> Iterator[str]:
    """A server's address."""
    options = [("grpc.max_receive_message_length", -1)]
    server = grpc.server(ThreadPoolExecutor(1), handlers=[Silent()], options=options)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None)


def requests(picture: Path) -> Mapping[str, NDArray[Any]]:
    """What models are sent: a picture, and the float32 states of dreams and transfers."""
    pixels = np.asarray(Image.open(picture).convert("RGB"))
    state = (pixels / np.float32(127.5) - 1).astype(np.float32)
    steps = np.random.default_rng(0).normal(0, 0.05, state.shape).astype(np.float32)
    return {
        "uint8 picture": pixels,
        "float32, no step done": state,
        "float32, after some steps": state + steps,
    }


def milliseconds(client: Client, array: NDArray[Any]) -> float:
    """How long a request takes."""
    started = time.perf_counter()
    try:
        client.predict("any", {"x": array})
    except DecodeError:
        return 1000 * (time.perf_counter() - started)
    raise AssertionError("the answer cannot be read")


@click.command()
@click.option(
    "--picture",
    type=click.Path(path_type=Path, exists=True),
    default=Path("examples/photos/astronaut.png"),
    show_default=True,
)
@click.option("--rounds", default=15, show_default=True)
def main(picture: Path, rounds: int) -> None:
    """Measure and print a table."""
    table = Table("request", "MB", "gzip MB", "ms", "gzip ms", "pays below")
    with silent_server() as address, Client(address) as plain, Client(address, compression="gzip") as packed:
        for name, array in requests(picture).items():
            small = len(gzip.compress(array.tobytes(), 6))
            turns = [(milliseconds(plain, array), milliseconds(packed, array)) for _ in range(rounds + 1)][1:]
            without, with_gzip = (statistics.median(column) for column in zip(*turns, strict=True))
            megabits = (array.nbytes - small) * 8 / 1000 / (with_gzip - without)
            sizes = [f"{size / 1e6:.2f}" for size in (array.nbytes, small)]
            table.add_row(name, *sizes, f"{without:.1f}", f"{with_gzip:.1f}", f"{megabits:.0f} Mbit/s")
    Console().print(table)


if __name__ == "__main__":
    main()
