"""Where pictures come from and go to, as the command line names it: files, folders, and `-` for the pipes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import click

_DASH: Final = "-"


@dataclass(frozen=True)
class Pipe:
    """Standard input or output. A file named `-` is written `./-`, and is a Path.

    Attributes:
        kind: the format of what is written to it, as a file extension without the dot; PNG if empty.
    """

    kind: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{_DASH}" if self.kind else _DASH

    @property
    def name(self) -> str:
        """As of a path: what it is called on the command line."""
        return str(self)

    @property
    def suffix(self) -> str:
        """The file extension of the format that is written."""
        return f".{self.kind or 'png'}"


Place: TypeAlias = Path | Pipe


def place(text: str) -> Place:
    """What an argument names. UsageError if it is empty, as an unset variable of the shell is."""
    if not text:
        raise click.UsageError("a picture's name is empty; name a file or a folder")
    kind, _, end = text.rpartition(":")
    return Pipe(kind) if end == _DASH and "/" not in kind else Path(text)


def is_folder(path: Place) -> bool:
    """Whether it is a folder. A name that the system refuses is none: who opens it learns why."""
    try:
        return isinstance(path, Path) and path.is_dir()
    except OSError:
        return False
