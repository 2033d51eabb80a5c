"""Many clients at once, each a process with a Client of its own, which call a server in turn with everything.

    python -m processes.many_clients ADDRESS PID CLIENTS STRETCHES CALLS

Each client makes CALLS calls in each of STRETCHES stretches. Between two stretches nobody calls, and every process is
measured: PID, which is the server's, and the clients, whose figures are added up. The report, as JSON on standard
output, has how many calls of each kind were right, what went wrong, and the measurements from the start on. The server
has the models half, add, echo and srcnn.

The clients' own progress says when to measure, not a clock, so that a slow machine measures the same as a fast one. The
processes are forked here, before any of them touches gRPC: 64 that start one by one would take a minute.
"""

from __future__ import annotations

import json
import multiprocessing
import random
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from typing import Any

import numpy as np

from images.pictures import pixels
from impasto.client import Client
from processes.watched_process import usage

X = np.array([1, 2, 3], np.float32)
STRINGS = np.array([b"one", b"", b"two"], object)
PHOTO = pixels(20, 30)

GIVE_UP = 240.0
"""Seconds for which the clients wait for each other before they say that one of them is gone."""


def main(address: str, server: int, clients: int, stretches: int, calls: int) -> None:
    """Run them all and print the report."""
    fork = multiprocessing.get_context("fork")
    together = fork.Barrier(clients + 1, timeout=GIVE_UP)
    pipes, processes = [], []
    for number in range(clients):
        receiving, sending = fork.Pipe(duplex=False)
        process = fork.Process(target=_client, args=(sending, together, address, number, stretches, calls))
        process.start()
        sending.close()
        pipes.append(receiving)
        processes.append(process)
    measured = []
    for _ in range(stretches + 1):
        together.wait()
        measured.append(asdict(usage(server)))
        together.wait()
    told = [pipe.recv() for pipe in pipes]
    for process in processes:
        process.join()
    report = {
        "right": [client["right"] for client in told],
        "wrong": [wrong for client in told for wrong in client["wrong"]],
        "server": measured,
        "clients": [_sum(moment) for moment in zip(*(client["measured"] for client in told), strict=True)],
    }
    json.dump(report, sys.stdout)


def _client(
    pipe: Connection, together: Barrier, address: str, number: int, stretches: int, calls: int
) -> None:
    rng = random.Random(number)
    right: dict[str, int] = dict.fromkeys(CALLS, 0)
    wrong: list[str] = []
    measured = []
    with Client(address) as client:
        enlarged = np.asarray(client.upscale(PHOTO))
        for stretch in range(stretches + 1):
            together.wait()
            measured.append(asdict(usage()))
            together.wait()
            for _ in range(calls if stretch < stretches else 0):
                (name,) = rng.choices(list(CALLS), OFTEN)
                try:
                    if CALLS[name](client, enlarged):
                        right[name] += 1
                    else:
                        wrong.append(f"{name}: another answer")
                except Exception:  # noqa: BLE001 - whatever goes wrong is reported
                    wrong.append(f"{name}: {traceback.format_exc()}")
        pipe.send({"right": right, "wrong": wrong, "measured": measured})


def _sum(figures: tuple[dict[str, int], ...]) -> dict[str, int]:
    """The figures of all clients at one moment, added up by name."""
    return dict(sum(map(Counter, figures), Counter[str]()))


def _half(client: Client, _enlarged: Any) -> bool:
    return bool(client.predict("half", {"x": X})["y"].tolist() == [2.5, 3.0, 3.5])


def _add(client: Client, _enlarged: Any) -> bool:
    return bool(client.predict("add", {"a": X, "b": X})["y"].tolist() == [2.0, 4.0, 6.0])


def _echo(client: Client, _enlarged: Any) -> bool:
    answer = client.predict("echo", {"x": STRINGS}, signature="string")
    return bool(answer["y"].tolist() == STRINGS.tolist())


def _metadata(client: Client, _enlarged: Any) -> bool:
    return "serving_default" in client.metadata("half").signatures


def _status(client: Client, _enlarged: Any) -> bool:
    return [version.version for version in client.status("half")] == [1]


def _upscale(client: Client, enlarged: Any) -> bool:
    return np.array_equal(np.asarray(client.upscale(PHOTO)), enlarged)


CALLS: Mapping[str, Callable[[Client, Any], bool]] = {
    "half": _half,
    "add": _add,
    "echo": _echo,
    "metadata": _metadata,
    "status": _status,
    "upscale": _upscale,
}

OFTEN = [1 if name == "upscale" else 5 for name in CALLS]
"""How often each is chosen: the network's arithmetic is not what this is about."""

if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
