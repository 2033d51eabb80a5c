"""Say what was changed or left out of a picture, and keep Pillow's own warnings out of it."""

from __future__ import annotations

import contextlib
import logging
import threading
import warnings
from collections.abc import Generator, Iterable
from typing import Final

from impasto.client.texts import printable


class PictureWarning(UserWarning):
    """Something of a picture was left out, mended or chosen; the message names the picture.

    `Picture.notes` holds the same messages. To be silent: `warnings.simplefilter("ignore", PictureWarning)`.
    """


class Notes:
    """The notes about one picture.

    Args:
        name: what the messages call it.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._said: list[str] = []

    def say(self, words: str) -> None:
        """Note `words` behind the picture's name; the same words only once."""
        message = printable(
            f"{self.name}: {words}"
        )  # for a warning is printed, and a file's name may be anything
        if message not in self._said:
            self._said.append(message)

    def all(self) -> tuple[str, ...]:
        """All that was noted, in order."""
        return tuple(self._said)


def warn(notes: Iterable[str], *, stacklevel: int = 3) -> None:
    """Issue each note as a PictureWarning that points at the line which called the public function."""
    for note in notes:
        warnings.warn(note, PictureWarning, stacklevel=stacklevel)


# Or the errors that Pillow logs go to standard error in a program that has set up no logging.
logging.getLogger("PIL").addHandler(logging.NullHandler())

_lock = threading.Lock()
_inside = 0
# The comment in the pattern makes the filter ours alone: an application's own filter for Pillow is another entry.
_PILLOW: Final = r"PIL(\.|$)(?#impasto)"


@contextlib.contextmanager
def quietly() -> Generator[None, None, None]:
    """Ignore Pillow's warnings: a damaged picture is an error, or read as far as it goes.

    `warnings.catch_warnings` would replace the whole process's list of filters and put the old one back later,
    whatever other threads did to it meanwhile. This adds one entry, which concerns Pillow's modules only, and takes
    that entry away when the last thread has left.
    """
    global _inside
    with _lock:
        _inside += 1
        warnings.filterwarnings("ignore", module=_PILLOW)  # a second one replaces the first
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                _forget_filter()


def _forget_filter() -> None:
    filters = warnings.filters
    if not isinstance(filters, list):  # pragma: no cover - typed as a sequence, always a list
        return
    for entry in [entry for entry in filters if getattr(entry[3], "pattern", None) == _PILLOW]:
        filters.remove(entry)
