"""Thousands of mutated answers to every command that asks a server, in a process of limited memory.

    python -m floods.hostile_commands ANSWERS SEED

Whatever a server answers, a command ends with an exit code of its own, prints nothing that a terminal obeys, little
enough to read, and JSON where it was asked for it. The report is that of `hostile_answers`.
"""

from __future__ import annotations

import io
import json
import os
import random
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from floods.honest_answers import CHECKED, CHECKED_SRCNN, DESCRIPTION, METHODS, PAINTING, PHOTO, Method
from floods.hostile_answers import UNSAFE_BUT_LINES, Judge, Liar, alarm, limit_memory
from images.pictures import save
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
    "check half --concurrency 2": CHECKED,
    "check srcnn --concurrency 2 --json": CHECKED_SRCNN,
    "bench srcnn --seconds 0.1 --concurrency 2 --size 8x8": METHODS["predict"].answers,
    "predict half --input x=[[1,0.5,2]]": (*METHODS["metadata"].answers, *METHODS["predict"].answers),
    "predict half --input x=[[1,0.5,2]] --json": (*METHODS["metadata"].answers, *METHODS["predict"].answers),
    "upscale PHOTO -o OUT.png --overwrite --tile 12": METHODS["upscale"].answers,
    "upscale FOLDER -o OUT --overwrite --json": METHODS["map"].answers,
    "stylize PHOTO --style PAINTING -o OUT.png --overwrite": (
        *METHODS["metadata"].answers,
        *METHODS["stylize"].answers[-1:],
    ),
    "dream PHOTO --recipe classic -o OUT.png --overwrite": METHODS["dream"].answers,
    "transfer PHOTO --style PAINTING -o OUT.png --overwrite --recipe classic --epochs 1 --steps-per-epoch 2": METHODS[
        "run with a checkpoint"
    ].answers[:6],
}
"""The honest answers to the calls of each command, one after the other. Capitals are files that the flood makes."""


def main(answers: int, seed: int) -> None:
    """Run the flood and print the report."""
    warnings.simplefilter("error")
    # As in the other floods: some answers say that the server is busy, for which a command waits minutes.
    os.environ |= {"IMPASTO_PATIENCE": "0", "IMPASTO_RETRIES_ATTEMPTS": "1"}
    rng, judge = random.Random(seed), Judge()
    before = limit_memory()
    rows: list[tuple[str, int, float, int]] = []
    with tempfile.TemporaryDirectory() as folder:
        _write_pictures(Path(folder))
        for command, honest in COMMANDS.items():
            # A measurement takes a tenth of a second, and sends hundreds of calls; a check sends a dozen.
            share = {"bench": 30, "check": 5}.get(command.split()[0], 1)
            times = max(1, answers // share)
            # What the person gave may not fit the signature that an altered answer tells of.
            codes = (*_CODES, 2) if command.startswith("predict") else _CODES
            liar, started, faults = Liar(rng), time.monotonic(), len(judge.faults)
            method = Method(lambda _: None, honest, lambda _: True)
            with scripted(liar) as server:
                words = [*_words(command, Path(folder)), "--server", server.address]
                for number in range(times + 1):
                    liar.prepare(method, honest=number == 0)
                    with judge.watch(command), alarm():
                        _check(command, words, judge, (0,) if number == 0 else codes)
            rows.append((command, times, round(time.monotonic() - started, 1), len(judge.faults) - faults))
    report = {
        "rows": rows,
        "megabytes": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10,
        "outcomes": {end: count for end, count in judge.outcomes.items() if end != "result"},
        "faults": judge.faults[:20],
    }
    json.dump(report, sys.stdout)


def _write_pictures(folder: Path) -> None:
    (folder / "FOLDER").mkdir()
    save(folder / "PHOTO.png", PHOTO)
    save(folder / "FOLDER" / "one.png", PHOTO)
    save(folder / "PAINTING.png", PAINTING)


def _words(command: str, folder: Path) -> list[str]:
    """The words of a command, with the files that they stand for."""
    files = {name: str(folder / name) for name in ("FOLDER", "OUT")}
    files |= {name: str(folder / f"{name}.png") for name in ("PHOTO", "PAINTING")}
    files["OUT.png"] = str(folder / "OUT.png")
    return [files.get(word, word) for word in command.split()]


def _check(command: str, arguments: list[str], judge: Judge, codes: tuple[int, ...]) -> None:
    """Run a command, which must end with one of these codes."""
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
    judge.outcomes[f"exit {code}"] += 1
    if code not in codes or UNSAFE_BUT_LINES.search(said) or len(said) > _MOST_PRINTED:
        judge.faults.append(f"{command}: code {code}, {len(said)} characters: {said[:500]!r}")
    if "--json" in command and shown:
        json.loads(shown, parse_constant=_refuse)


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
