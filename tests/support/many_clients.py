"""Many clients at once, each a process with a Client of its own, which call a server in turn with everything.

    python many_clients.py ADDRESS CLIENTS SECONDS SETTLED

The report, as JSON on standard output, has an entry for each client: how many calls were right, what went wrong, and
what its process held SETTLED seconds after the start and at the end. The server has the models half, add, echo and
srcnn.

The processes are forked here, before any of them touches gRPC: 64 that start one by one would take the minute.
"""

from __future__ import annotations

import json
import multiprocessing
import random
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from impasto.client import Client
from pictures import pixels
from watched_process import usage

X = np.array([1, 2, 3], np.float32)
STRINGS = np.array([b"one", b"", b"two"], object)
PHOTO = pixels(20, 30)


def main(address: str, clients: int, seconds: float, settled: float) -> None:
    """Run them all and print the report."""
    fork = multiprocessing.get_context("fork")
    pipes, processes = [], []
    for number in range(clients):
        receiving, sending = fork.Pipe(duplex=False)
        process = fork.Process(target=_client, args=(sending, address, number, seconds, settled))
        process.start()
        sending.close()
        pipes.append(receiving)
        processes.append(process)
    report = [pipe.recv() for pipe in pipes]
    for process in processes:
        process.join()
    json.dump(report, sys.stdout)


def _client(pipe: Connection, address: str, number: int, seconds: float, settled: float) -> None:
    rng = random.Random(number)
    right: dict[str, int] = dict.fromkeys(CALLS, 0)
    wrong: list[str] = []
    begin = None
    started = time.monotonic()
    with Client(address) as client:
        enlarged = np.asarray(client.upscale(PHOTO))
        while (now := time.monotonic() - started) < seconds:
            if begin is None and now >= settled:
                begin = usage()
            name = rng.choice(sorted(CALLS))
            try:
                if CALLS[name](client, enlarged):
                    right[name] += 1
                else:
                    wrong.append(f"{name}: another answer")
            except Exception:  # noqa: BLE001 - whatever goes wrong is reported
                wrong.append(f"{name}: {traceback.format_exc()}")
        assert begin is not None
        pipe.send({"right": right, "wrong": wrong, "begin": asdict(begin), "end": asdict(usage())})


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

if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]))
