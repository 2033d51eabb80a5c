"""Pairs of input and output files, made of what the person named and checked before any work starts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from impasto.client.cli.files import Pipe, Place, is_folder, real, refuse_inputs
from impasto.client.cli.frames import keeps_moving
from impasto.client.cli.output import note
from impasto.client.cli.picture_options import Pictures
from impasto.client.cli.result_names import result_names
from impasto.client.cli.sources import LeftOut, Repeated, find, lines_on_repeated


@dataclass(frozen=True)
class Pair:
    """One picture to read and where its result goes."""

    source: Place
    output: Place


@dataclass(frozen=True)
class Plan:
    """All pairs of a run.

    Attributes:
        pairs: each picture and its result's place.
        folder: the folder that the results go to, perhaps in folders of it; None if the one result has a name.
        left_out: files of the folders that were named which are not read.
        repeated: pictures that were named more than once.
    """

    pairs: tuple[Pair, ...]
    folder: Path | None
    left_out: tuple[LeftOut, ...] = ()
    repeated: tuple[Repeated, ...] = ()

    @property
    def is_single(self) -> bool:
        """True if one picture goes to one file or pipe."""
        return self.folder is None


def pair_up(pictures: Pictures, *, others: Sequence[Path] = ()) -> Plan:
    """Decide each result's place; nothing is written yet.

    One picture may go to a file or to standard output; several files, or a folder, go to a folder under the names
    that `result_names` gives them. A picture that is named twice is done once.

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


def tell_repeated(plan: Plan, *, quiet: bool) -> None:
    """Say which pictures were named more than once."""
    for line in () if quiet else lines_on_repeated(plan.repeated):
        note(f"impasto: {line}")


def _through_files(inputs: Sequence[Path], output: Path, pictures: Pictures) -> Plan:
    found = find(inputs)
    sources, folders = found.pictures, [path for path in inputs if is_folder(path)]
    into_folder = (
        pictures.as_folder or len(sources) > 1 or bool(folders) or is_folder(output) or not output.suffix
    )
    if not into_folder:
        pairs = tuple(Pair(source, output) for source in sources)  # which is one
        return Plan(pairs, None, repeated=found.repeated)
    if output.exists() and not output.is_dir():
        raise click.ClickException(
            f"-o {output} is a file; several pictures need a folder to go to, and a name with a slash at its end is one"
        )
    moving = {source for source in sources if keeps_moving(source, output / source.name, pictures)}
    names = result_names(sources, folders, moving)
    into = tuple(Pair(source, output / names[source]) for source in sources)
    return Plan(into, output, found.left_out, found.repeated)


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
