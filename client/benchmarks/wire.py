"""Impasto's client beside tensorflow-serving-api and ovmsclient: arrays to bytes and back, start, import and size.

Each library has an environment of its own under build/bench-client/, and a process of its own that does one task at a
time. Every round goes through all tasks and in each through all libraries, so that whatever else the machine does
falls on all of them; the figures are medians over the rounds.
"""

from __future__ import annotations

import hashlib
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import numpy as np
from environments import LIBRARIES, REPOSITORY, Environment, build
from PIL import Image

from impasto.client._wire.format import delimited
from impasto.serving.local.tensors import to_wire

WIDTH, HEIGHT = 1920, 1080
PHOTO = REPOSITORY / "examples" / "photos" / "astronaut.png"

OURS, OFFICIAL, OVMS = (library.name for library in LIBRARIES)


@dataclass
class Row:
    """One measurement.

    Attributes:
        label: for people.
        task: of the workers, and the file that it is about; none for the others.
        file: see task.
        unit: of the figures.
        goal: how many times less Impasto should take than tensorflow-serving-api; or than anyone, for `all`.
        all: the goal is about ovmsclient too.
        figures: one a round and library.
    """

    label: str
    task: str = ""
    file: str = ""
    unit: str = "ms"
    goal: float | None = None
    all: bool = False
    figures: dict[str, list[float]] = field(default_factory=dict)

    def add(self, library: str, figure: float) -> None:
        """Take a figure down."""
        self.figures.setdefault(library, []).append(figure)

    def median(self, library: str) -> float | None:
        """Over the rounds; None where the library was not measured."""
        return statistics.median(self.figures[library]) if library in self.figures else None


def rows() -> list[Row]:
    """What is measured."""
    return [
        Row("decode float_val, from the response's bytes", "decode", "float_val.bin"),
        Row("  the others from the parsed message", "decode parsed", "float_val.bin", goal=50),
        Row("  all to an array of their own", "decode and own", "float_val.bin"),
        Row("decode float tensor_content, from bytes", "decode", "float_content.bin"),
        Row("  all to an array of their own", "decode and own", "float_content.bin"),
        Row("decode uint8 int_val, photo, from bytes", "decode", "photo_val.bin"),
        Row("  the others from the parsed message", "decode parsed", "photo_val.bin", goal=3),
        Row("decode uint8 int_val, noise, from bytes", "decode", "noise_val.bin"),
        Row("  the others from the parsed message", "decode parsed", "noise_val.bin", goal=3),
        Row("decode uint8 tensor_content, from bytes", "decode", "photo_content.bin"),
        Row("pack float32 to the request's bytes", "pack", "float.npy", goal=1, all=True),
        Row("pack uint8 to the request's bytes", "pack", "photo.npy", goal=1, all=True),
    ]


def write_inputs(folder: Path) -> dict[str, str]:
    """The workers' files; returns the SHA-256 of the array that each response holds."""
    photo = np.asarray(Image.open(PHOTO).convert("RGB").resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))
    noise = np.random.default_rng(0).integers(0, 256, photo.shape, dtype=np.uint8)
    pictures = {"photo": photo, "noise": noise, "float": photo / np.float32(255)}
    digests = {}
    for name, picture in pictures.items():
        np.save(folder / f"{name}.npy", picture)
        for kind, as_content in (("val", False), ("content", True)):
            tensor = b"".join(to_wire(picture, as_content=as_content))
            entry = delimited(1, b"x") + delimited(2, tensor)
            file = f"{name}_{kind}.bin"
            (folder / file).write_bytes(delimited(1, entry))
            digests[file] = hashlib.sha256(picture.tobytes()).hexdigest()
    digests["float_val.bin"] = digests["float_content.bin"]
    Image.fromarray(photo).resize((96, 64)).save(folder / "small.png")
    return digests


@contextmanager
def worker(environment: Environment) -> Iterator[subprocess.Popen[str]]:
    """The library's process."""
    command = [environment.python, str(environment.library.worker)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def timed(process: subprocess.Popen[str], row: Row, folder: Path, digests: dict[str, str]) -> float:
    """Milliseconds that a worker took; stops if it made another array than it should."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps({"task": row.task, "file": str(folder / row.file)}) + "\n")
    process.stdin.flush()
    answer: dict[str, Any] = json.loads(process.stdout.readline())
    if answer["digest"] not in (None, digests.get(row.file)):
        raise click.ClickException(f"{row.label}: the array is not the one that was sent")
    return float(answer["seconds"]) * 1e3


def import_ms(environment: Environment) -> float:
    """Milliseconds that a fresh interpreter takes to import the library."""
    code = f"import time; t = time.perf_counter(); import {environment.library.module}; print(time.perf_counter() - t)"
    command = [environment.python, "-c", code]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return float(done.stdout) * 1e3


def newest_version() -> str:
    """The version of the committed SRCNN that the server has: ovmsclient has to name one."""
    return str(max(int(path.name) for path in (REPOSITORY / "models" / "srcnn").glob("[0-9]*")))


def upscale_ms(environment: Environment, address: str, folder: Path) -> float:
    """Milliseconds from the start of a process to its end, with a small picture doubled."""
    target = folder / "doubled.png"
    target.unlink(missing_ok=True)
    names = {
        "python": environment.python,
        "bin": str(environment.bin),
        "address": address,
        "version": newest_version(),
    }
    command = [
        part.format(**names, source=folder / "small.png", target=target)
        for part in environment.library.upscale
    ]
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds = time.perf_counter() - started
    with Image.open(target) as doubled:
        assert doubled.size == (192, 128)
    return seconds * 1e3


@contextmanager
def served() -> Iterator[str]:
    """The address of a local server with the committed SRCNN."""
    options = ["--models", str(REPOSITORY / "models"), "--only", "srcnn", "--port", "0"]
    command = [sys.executable, "-m", "impasto.serving", "local", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if found := re.match(r"Listening on (\S+)", line):
                    yield found[1]
                    return
            raise click.ClickException("the local server did not start")
        finally:
            process.terminate()


def verdict(row: Row) -> str:
    """How Impasto compares: the others' figures over its own, and whether the goal is met."""
    own = row.median(OURS)
    ratios = [
        (name, figure / own) for name in (OFFICIAL, OVMS) if own and (figure := row.median(name)) is not None
    ]
    text = "".join(
        f"{dict(ratios)[name]:>10.1f}x" if name in dict(ratios) else f"{'-':>11}" for name in (OFFICIAL, OVMS)
    )
    if row.goal is None:
        return text
    judged = [ratio for name, ratio in ratios if row.all or name == OFFICIAL]
    state = "not measured" if not judged else "met" if min(judged) >= row.goal else "missed"
    return f"{text}   {row.goal:g}x {state}"


def show(table: list[Row], environments: list[Environment], rounds: int) -> None:
    """Print what was found."""
    for environment in environments:
        versions = ", ".join(f"{name} {version}" for name, version in environment.versions.items())
        click.echo(f"{environment.library.name}: {environment.failure or versions}")
    click.echo(
        f"\nPictures are {WIDTH} x {HEIGHT} x 3. Medians of {rounds} rounds; ratios are theirs over impasto's.\n"
        "Impasto decodes from the response's bytes in every row; float_val and tensor_content become views of them.\n"
    )
    click.echo(
        f"{'':<48}{'impasto':>11}{'tf-serving':>11}{'ovmsclient':>11}  {'tf/ours':>11}{'ovms/ours':>11}   goal"
    )
    for row in table:
        cells = (row.median(library.name) for library in LIBRARIES)
        figures = "".join(
            f"{'-' if cell is None else f'{cell:,.3g}' if cell < 10 else f'{cell:,.0f}':>11}"
            for cell in cells
        )
        click.echo(f"{f'{row.label}, {row.unit}':<48}{figures}  {verdict(row)}")


@click.command()
@click.option("--rounds", default=9, show_default=True, help="How often each thing is measured.")
def main(rounds: int) -> None:
    """Build the environments and print the comparison."""
    root = REPOSITORY / "build" / "bench-client"
    root.mkdir(parents=True, exist_ok=True)
    environments = [build(library, root) for library in LIBRARIES]
    usable = [environment for environment in environments if not environment.failure]
    table = rows()
    imports = Row("import", goal=None)
    start = Row("start to doubled picture (96 x 64)", goal=5)
    size = Row("installed, pip left out", unit="MB")
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        digests = write_inputs(folder)
        address = stack.enter_context(served())
        workers = {env.library.name: stack.enter_context(worker(env)) for env in usable}
        for number in range(rounds + 1):  # the first warms up and does not count
            for row in table:
                for library, process in workers.items():
                    figure = timed(process, row, folder, digests)
                    if number:
                        row.add(library, figure)
            for environment in usable:
                took = import_ms(environment), upscale_ms(environment, address, folder)
                if number:
                    imports.add(environment.library.name, took[0])
                    start.add(environment.library.name, took[1])
        for environment in usable:
            size.add(environment.library.name, environment.megabytes())
    show([*table, imports, start, size], environments, rounds)


if __name__ == "__main__":
    main()
