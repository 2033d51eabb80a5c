"""Pairs of input and output files: the pictures that a person pointed at, each once, and the names of their results."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import Final, NamedTuple

import click

from impasto.client.cli.files import Pipe, Place, is_folder, real, refuse_inputs
from impasto.client.cli.frames import keeps_moving
from impasto.client.cli.options import Pictures
from impasto.client.cli.output import note
from impasto.client.pictures import WRITABLE, named_picture, readable_extensions

_THE_SYSTEMS: Final = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini"})
"""Files that Windows hides; those of other systems begin with a dot."""

_MOST_NAMED: Final = 10


class LeftOut(NamedTuple):
    """A file of a folder that is not read, and why."""

    path: Path
    reason: str


class Repeated(NamedTuple):
    """A file that was named before, perhaps by another name: it is done once."""

    path: Path
    first: Path


class Found(NamedTuple):
    """The files that inputs stand for.

    Attributes:
        pictures: each once, in the order in which they were named; a folder's by name.
        left_out: of folders, all that is not read; hidden files are not looked at.
        repeated: pictures that were named again.
    """

    pictures: tuple[Path, ...]
    left_out: tuple[LeftOut, ...]
    repeated: tuple[Repeated, ...]


def find(inputs: Iterable[Path]) -> Found:
    """Find what is to be read. A file named by itself is read whatever its name is.

    Raises:
        click.ClickException: a folder holds no picture that can be read; the message names what it holds.
        OSError: a folder cannot be read.
    """
    first: dict[Path, Path] = {}
    left_out: dict[Path, LeftOut] = {}
    repeated: dict[Path, Repeated] = {}
    for path in inputs:
        pictures, others = _in_folder(path) if is_folder(path) else ([path], [])
        left_out |= {real(other.path): other for other in others}
        for picture in pictures:
            known = first.setdefault(real(picture), picture)
            if known is not picture:
                repeated[picture] = Repeated(picture, known)
    return Found(
        tuple(first.values()),
        tuple(other for file, other in left_out.items() if file not in first),
        tuple(repeated.values()),
    )


def lines_on_left_out(left_out: Iterable[LeftOut]) -> list[str]:
    """Return words about files that are left out: a line for each reason."""
    by_reason: dict[str, list[Path]] = {}
    for file in left_out:
        by_reason.setdefault(file.reason, []).append(file.path)
    return [f"left out {named(paths)}: {reason}" for reason, paths in by_reason.items()]


def _lines_on_repeated(repeated: Sequence[Repeated]) -> list[str]:
    """Return words about files that were named again: a line each, or one for many."""
    if len(repeated) > _MOST_NAMED:
        return [f"named more than once, and done once: {named([file.path for file in repeated])}"]
    return [
        f"{file.path} is named twice; it is done once"
        if file.path == file.first
        else f"{file.path} is the same file as {file.first}; it is done once"
        for file in repeated
    ]


def named(paths: Sequence[object]) -> str:
    """Return the names of places for a line: all of a few, the first of many."""
    shown = [str(path) for path in paths[:_MOST_NAMED]]
    further = len(paths) - len(shown)
    return ", ".join(shown) + (f" and {further} more" if further else "")


def _in_folder(folder: Path) -> tuple[list[Path], list[LeftOut]]:
    pictures: list[Path] = []
    left_out: list[LeftOut] = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name.lower() in _THE_SYSTEMS or is_folder(path):
            continue
        reason = _why_not(path)
        if reason is None:
            pictures.append(path)
        else:
            left_out.append(LeftOut(path, reason))
    if not pictures:
        raise click.ClickException(_nothing_in(folder, left_out))
    return pictures, left_out


def _why_not(path: Path) -> str | None:
    """Return why a file of a folder is left out; None if it is to be read."""
    kind = named_picture(path)
    if kind is None:
        return "not a picture by its extension"
    if not kind.readable:
        return f"{path.suffix.lower()} cannot be read here; {kind.remedy}"
    try:
        if path.is_file():
            return None
        return "not a regular file" if path.exists() else "a link to nothing"
    except OSError as error:  # a loop of links, or a folder that may be listed but not entered
        return error.strerror or str(error)


def _nothing_in(folder: Path, left_out: Sequence[LeftOut]) -> str:
    if not left_out:
        return f"no pictures in the folder {folder} (looked for {' '.join(sorted(readable_extensions()))})"
    return f"no picture in the folder {folder} can be read; " + "; ".join(lines_on_left_out(left_out))


_FORMATS: Final[Mapping[str, str]] = MappingProxyType(dict.fromkeys((".jfif", ".jpe", ".mpo"), ".jpg"))
"""The extensions of results by those of pictures that cannot be written under their own; PNG for all others."""


def _result_names(
    sources: Sequence[Path], folders: Iterable[Path] = (), moving: Collection[Path] = ()
) -> dict[Path, PurePath]:
    """Return each result's path within the folder of the results.

    A result has its picture's name. Where the format cannot be written its extension is another one, and where that
    gives two pictures of a folder the same name, it is put behind the whole name: `a.gif` beside `a.png` becomes
    `a.gif.png`. Folders with pictures of equal names, or that were named as folders and have equal names themselves,
    keep the last parts of their paths, as few as tell them apart. Names that differ only in upper and lower case count
    as equal: some file systems see no difference.

    Args:
        sources: the pictures.
        folders: the folders that were named.
        moving: the pictures whose results keep their names, because every frame of them is done.
    """
    names = _names(sources, moving)
    keeping = _twins({_folder(path / "_") for path in folders}) | _clashing(names)
    tails = _tails(keeping)
    return {source: tails.get(_folder(source), PurePath()) / name for source, name in names.items()}


def _names(sources: Sequence[Path], moving: Collection[Path]) -> dict[Path, str]:
    """The results' names, distinct within each folder of pictures unless a file already has the longer name."""
    plain = {source: source.name if source in moving else _plain(source) for source in sources}
    count = Counter((_folder(source), name.casefold()) for source, name in plain.items())
    return {
        source: name
        if source.name == name or count[_folder(source), name.casefold()] == 1
        else source.name + PurePath(name).suffix
        for source, name in plain.items()
    }


def _plain(source: Path) -> str:
    suffix = source.suffix.lower()
    return source.name if suffix in WRITABLE else source.stem + _FORMATS.get(suffix, ".png")


def _folder(source: Path) -> Path:
    # Links keep the names that the person gave them, which resolve() would lose.
    return Path(os.path.abspath(source.parent))  # noqa: PTH100


def _twins(folders: Iterable[Path]) -> set[Path]:
    """The folders whose own name another one has, too."""
    by_name: dict[str, set[Path]] = defaultdict(set)
    for folder in folders:
        by_name[folder.name.casefold()].add(folder)
    return {folder for same in by_name.values() if len(same) > 1 for folder in same}


def _clashing(names: Mapping[Path, str]) -> set[Path]:
    """The folders of pictures whose results would have the same name."""
    by_name: dict[str, set[Path]] = defaultdict(set)
    for source, name in names.items():
        by_name[name.casefold()].add(_folder(source))
    return {folder for same in by_name.values() if len(same) > 1 for folder in same}


def _tails(folders: Iterable[Path]) -> dict[Path, PurePath]:
    """The last parts of each folder's path, as few as tell it from all the others."""
    lengths = dict.fromkeys(folders, 1)
    while True:
        tails = {folder: PurePath(*folder.parts[1:][-length:]) for folder, length in lengths.items()}
        count = Counter(str(tail).casefold() for tail in tails.values())
        same = [folder for folder, tail in tails.items() if count[str(tail).casefold()] > 1]
        if not any(lengths[folder] < len(folder.parts) for folder in same):
            return tails  # at the latest when they are the whole paths
        for folder in same:
            lengths[folder] += 1


class Pair(NamedTuple):
    """One picture to read and where its result goes."""

    source: Place
    output: Place


class Plan(NamedTuple):
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
    that `_result_names` gives them. A picture that is named twice is done once.

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
    for line in () if quiet else _lines_on_repeated(plan.repeated):
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
    names = _result_names(sources, folders, moving)
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
