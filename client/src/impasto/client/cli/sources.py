"""The pictures that a person pointed at, each once, and the files that are left out, with the reasons."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from impasto.client.cli.files import is_folder, real
from impasto.client.pictures import named_picture, readable_extensions

_THE_SYSTEMS: Final = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini"})
"""Files that Windows hides; those of other systems begin with a dot."""

_MOST_NAMED: Final = 10


@dataclass(frozen=True)
class LeftOut:
    """A file of a folder that is not read, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Repeated:
    """A file that was named before, perhaps by another name: it is done once."""

    path: Path
    first: Path


@dataclass(frozen=True)
class Found:
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


def lines_on_repeated(repeated: Sequence[Repeated]) -> list[str]:
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
