"""Thousands of mutated answers to the commands that print what a server says, in a process of limited memory.

    python -m floods.hostile_commands ANSWERS SEED

Whatever a server answers, a command ends with an exit code of its own, prints nothing that a terminal obeys, little
enough to read, and JSON where it was asked for it. The report is that of `hostile_answers`.
"""

from __future__ import annotations

import io
import json
import random
import resource
import sys
import time
import warnings
from collections.abc import Mapping
from typing import Any, Final

from floods.honest_answers import DESCRIPTION, METHODS, Method
from floods.hostile_answers import UNSAFE_BUT_LINES, Judge, Liar, limit_memory
from impasto.client.cli import run
from impasto.client.signatures import MODELS
from scripted.client_servers import scripted

_MOST_PRINTED: Final = 4 << 20
_CODES: Final = (0, 1, 3, 4)

_ABOUT_A_MODEL: Final = (*METHODS["status"].answers, DESCRIPTION, *METHODS["describe_dream"].answers)

COMMANDS: Final[Mapping[str, tuple[Any, ...]]] = {
    "models": len(MODELS) * _ABOUT_A_MODEL,
    "models --signatures": len(MODELS) * _ABOUT_A_MODEL,
    "models --json": len(MODELS) * _ABOUT_A_MODEL,
    "status half": METHODS["status"].answers,
    "status --json": len(MODELS) * METHODS["status"].answers,
    "bench srcnn --seconds 0.1 --concurrency 2 --size 8x8": METHODS["predict"].answers,
}
"""The honest answers to the calls of each command, one after the other."""


def main(answers: int, seed: int) -> None:
    """Run the flood and print the report."""
    warnings.simplefilter("error")
    rng, judge = random.Random(seed), Judge()
    before = limit_memory()
    rows: list[tuple[str, int, float, int]] = []
    for command, honest in COMMANDS.items():
        # A measurement takes a tenth of a second, and sends hundreds of calls.
        times = max(1, answers // 30) if command.startswith("bench") else answers
        liar, started, faults = Liar(rng), time.monotonic(), len(judge.faults)
        with scripted(liar) as server:
            for _ in range(times):
                liar.prepare(Method(lambda _: None, honest, lambda _: True))
                with judge.watch(command):
                    _check(command, [*command.split(), "--server", server.address], judge)
        rows.append((command, times, round(time.monotonic() - started, 1), len(judge.faults) - faults))
    report = {
        "rows": rows,
        "megabytes": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10,
        "outcomes": judge.outcomes,
        "faults": judge.faults[:20],
    }
    json.dump(report, sys.stdout)


def _check(command: str, arguments: list[str], judge: Judge) -> None:
    out, err = io.BytesIO(), io.BytesIO()
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = io.TextIOWrapper(out, "utf-8"), io.TextIOWrapper(err, "utf-8")
    try:
        code = run(arguments)
        sys.stdout.flush()
        sys.stderr.flush()
        shown = out.getvalue().decode()
        said = shown + err.getvalue().decode()
    finally:
        sys.stdout, sys.stderr = streams
    if code not in _CODES or UNSAFE_BUT_LINES.search(said) or len(said) > _MOST_PRINTED:
        judge.faults.append(f"{command}: code {code}, {len(said)} characters: {said[:500]!r}")
    if "--json" in command and shown:
        json.loads(shown, parse_constant=_refuse)


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
