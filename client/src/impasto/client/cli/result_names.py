"""The names of results in their folder: those of their pictures, and distinct."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import Final

from impasto.client.pictures import WRITABLE

_FORMATS: Final[Mapping[str, str]] = MappingProxyType(dict.fromkeys((".jfif", ".jpe", ".mpo"), ".jpg"))
"""The extensions of results by those of pictures that cannot be written under their own; PNG for all others."""


def result_names(
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
