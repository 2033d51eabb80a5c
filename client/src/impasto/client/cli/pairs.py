"""Pairs of input and output files, made of what the person named and checked before any work starts."""

from __future__ import annotations

import stat
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from impasto.client.cli.files import Pipe, Place, is_folder, real, refuse_inputs
from impasto.client.cli.frames import keeps_moving
from impasto.client.cli.picture_options import Pictures
from impasto.client.pictures import WRITABLE

READABLE: Final = (
    *(".avif", ".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".pgm", ".png"),
    *(".ppm", ".tga", ".tif", ".tiff", ".webp"),
)
"""The file extensions of pictures when a folder is searched; a file named by itself may have any extension."""


@dataclass(frozen=True)
class Pair:
    """One picture to read and where its result goes."""

    source: Place
    output: Place

    def is_done(self) -> bool:
        """Tell whether the result's file is there, and not older than the picture. It is whole then: see `files`."""
        if isinstance(self.source, Pipe) or isinstance(self.output, Pipe):
            return False
        try:
            there, picture = self.output.stat(), self.source.stat()
        except OSError:
            return False
        return stat.S_ISREG(there.st_mode) and there.st_mtime_ns >= picture.st_mtime_ns


@dataclass(frozen=True)
class Plan:
    """All pairs of a run, and the folder that the results go to if it is to be made first."""

    pairs: tuple[Pair, ...]
    folder: Path | None

    @property
    def is_single(self) -> bool:
        """True if one picture goes to one file or pipe."""
        return self.folder is None


def pair_up(pictures: Pictures, *, others: Sequence[Path] = ()) -> Plan:
    """Decide each result's place; nothing is written yet.

    One picture may go to a file or to standard output; several files, or a folder, go to a folder under their own
    names. A result whose format cannot be written (GIF, unless it moves) becomes a PNG.

    Args:
        pictures: what to read, and where the results go.
        others: further files that are read.

    Raises:
        click.ClickException: nothing to do, two results with one name, or a result on top of what is read.
    """
    inputs, output = pictures.inputs, pictures.output
    if isinstance(output, Pipe) or any(isinstance(path, Pipe) for path in inputs):
        plan = _through_pipe(pictures)
    else:
        files = [path for path in inputs if isinstance(path, Path)]
        plan = _through_files(files, output, pictures)
    _refuse_collisions(plan.pairs)
    refuse_inputs([pair.output for pair in plan.pairs], [*(pair.source for pair in plan.pairs), *others])
    return plan


def _through_files(inputs: Sequence[Path], output: Path, pictures: Pictures) -> Plan:
    sources = [picture for path in inputs for picture in _pictures(path)]
    into_folder = (
        pictures.as_folder
        or len(inputs) > 1
        or is_folder(inputs[0])
        or is_folder(output)
        or not output.suffix
    )
    if not into_folder:
        return Plan((Pair(sources[0], output),), None)
    if output.exists() and not output.is_dir():
        raise click.ClickException(
            f"-o {output} is a file; several pictures need a folder to go to, and a name with a slash at its end is one"
        )
    return Plan(tuple(Pair(source, _result_path(source, output, pictures)) for source in sources), output)


def _through_pipe(pictures: Pictures) -> Plan:
    output = pictures.output
    (first, *further) = pictures.inputs
    if further or is_folder(first):
        raise click.UsageError("- is for one picture: standard input and output cannot tell several apart")
    if pictures.as_folder or is_folder(output):
        raise click.UsageError(
            f"-o {output} is a folder; name the file that standard input's picture goes to"
        )
    return Plan((Pair(first, output),), None)


def _pictures(path: Path) -> list[Path]:
    if not is_folder(path):
        return [path]
    found = sorted(
        entry
        for entry in path.iterdir()
        if entry.suffix.lower() in READABLE and not entry.name.startswith(".") and entry.is_file()
    )
    if not found:
        raise click.ClickException(f"no pictures in the folder {path} (looked for {' '.join(READABLE)})")
    return found


def _result_path(source: Path, folder: Path, pictures: Pictures) -> Path:
    same = folder / source.name
    if source.suffix.lower() in WRITABLE or keeps_moving(source, same, pictures):
        return same
    return folder / f"{source.stem}.png"


def _refuse_collisions(pairs: Sequence[Pair]) -> None:
    by_file: dict[Path, list[Pair]] = defaultdict(list)
    for pair in pairs:
        if isinstance(pair.output, Path):
            by_file[real(pair.output)].append(pair)
    for same in by_file.values():
        if len(same) > 1:
            names = " and ".join(str(pair.source) for pair in same)
            raise click.ClickException(
                f"{names} would both become {same[0].output}; give them different names or runs"
            )
