"""From what the person named to pairs of input and output files, with everything checked before any work starts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from impasto.client.cli.pipes import is_pipe
from impasto.client.errors import UnwritableOutput
from impasto.client.files import WRITABLE

READABLE: Final = (
    *(".avif", ".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".pgm", ".png"),
    *(".ppm", ".tga", ".tif", ".tiff", ".webp"),
)
"""What counts as a picture when a folder is searched; a file named by itself may have any extension."""


@dataclass(frozen=True)
class Pair:
    """One picture to read and where its result goes."""

    source: Path
    output: Path

    def is_done(self) -> bool:
        """Whether the result is there, and not older than the picture. What is there is whole: see `files`."""
        try:
            return self.output.stat().st_mtime_ns >= self.source.stat().st_mtime_ns
        except OSError:
            return False


@dataclass(frozen=True)
class Plan:
    """All pairs of a run, and the folder that the results go to if it is to be made first."""

    pairs: tuple[Pair, ...]
    folder: Path | None

    @property
    def is_single(self) -> bool:
        """Whether one picture goes to one file or pipe."""
        return self.folder is None

    def make_folder(self) -> None:
        """Make the results' folder; UnwritableOutput if the system refuses."""
        if self.folder is None:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UnwritableOutput(f"cannot make the folder {self.folder}: {error.strerror}") from error


def pair_up(inputs: Sequence[Path], output: Path) -> Plan:
    """Decide each result's place; nothing is written yet.

    One picture may go to a file or to standard output; several files, or a folder, go to a folder under their own
    names. A result whose format cannot be written (GIF, say) becomes a PNG.

    Raises:
        click.ClickException: nothing to do, two results with one name, or a result on top of an input.
    """
    if is_pipe(output) or any(is_pipe(path) for path in inputs):
        return _through_pipe(inputs, output)
    sources = [picture for path in inputs for picture in _pictures(path)]
    into_folder = len(inputs) > 1 or inputs[0].is_dir() or output.is_dir() or not output.suffix
    if into_folder and output.exists() and not output.is_dir():
        raise click.ClickException(f"-o {output} is a file; several pictures need a folder to go to")
    pairs = tuple(
        Pair(source, output / _result_name(source) if into_folder else output) for source in sources
    )
    _refuse_collisions(pairs)
    return Plan(pairs, output if into_folder else None)


def keep(others: Sequence[Path], plan: Plan) -> None:
    """ClickException if a result would replace one of these files, which are read as well."""
    read = {path.resolve() for path in others}
    for pair in plan.pairs:
        if pair.output.resolve() in read:
            raise click.ClickException(f"the result would replace the input {pair.output}; choose another -o")


def _through_pipe(inputs: Sequence[Path], output: Path) -> Plan:
    if len(inputs) > 1 or inputs[0].is_dir():
        raise click.UsageError("- is for one picture: standard input and output cannot tell several apart")
    if output.is_dir():
        raise click.UsageError(
            f"-o {output} is a folder; name the file that standard input's picture goes to"
        )
    pairs = (Pair(inputs[0], output),)
    _refuse_collisions(pairs)
    return Plan(pairs, None)


def _pictures(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(
        entry
        for entry in path.iterdir()
        if entry.suffix.lower() in READABLE and not entry.name.startswith(".") and entry.is_file()
    )
    if not found:
        raise click.ClickException(f"no pictures in the folder {path} (looked for {' '.join(READABLE)})")
    return found


def _result_name(source: Path) -> str:
    return source.name if source.suffix.lower() in WRITABLE else f"{source.stem}.png"


def _refuse_collisions(pairs: Sequence[Pair]) -> None:
    sources = {pair.source.resolve() for pair in pairs}
    by_output: dict[Path, list[Path]] = defaultdict(list)
    for pair in pairs:
        if not is_pipe(pair.output) and pair.output.resolve() in sources:
            raise click.ClickException(f"the result would replace the input {pair.output}; choose another -o")
        by_output[pair.output].append(pair.source)
    for output, origins in by_output.items():
        if len(origins) > 1:
            names = " and ".join(str(origin) for origin in origins)
            raise click.ClickException(
                f"{names} would both become {output}; give them different names or runs"
            )
